"""The member with the largest weighted sum of objectives."""

from collections.abc import Mapping, Sequence
from math import isfinite

from tuner.errors import UsageError
from tuner.front import reasons, words
from tuner.front.choice import FRONT, Pick, axis_of, merit, require_measured, second
from tuner.front.pareto import Objective, Point, front


def pick_by_weights(
    points: Sequence[Point], objectives: Sequence[Objective], weights: Mapping[str, float], *, whose: str = FRONT
) -> Pick:
    """The member with the largest sum of weight times objective, each scaled by its natural range.

    Of two percentages with the weights 2 and 1, a point of the first is thus worth two points of the second. A
    weighted sum reaches no member in a dent of the front, whatever the weights; `pick_by_aspiration` does.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        weights: name of every objective -> its weight, at least 0, and not all 0.
        whose: how the reason refers to the front.

    Raises:
        UsageError: a name is not an objective or has no weight, a weight is negative, or the front is empty.
    """
    for name in weights:
        axis_of(name, objectives)
    told = ", ".join(f"{name}={weight:g}" for name, weight in weights.items())
    example = " ".join(f"{o.name}={max(1, 2 - i)}" for i, o in enumerate(objectives))
    if missing := [o.name for o in objectives if o.name not in weights]:
        lacking = f"the weights {told} leave out {words.listing(missing)}"
        raise UsageError(lacking, "a weight of every objective; 0 for one that does not count", f"give all: {example}")
    sound = all(isfinite(weight) and weight >= 0 for weight in weights.values())
    if not sound or not any(weights.values()):
        expected = "finite numbers of at least 0, not all of them 0"
        raise UsageError(f"the weights are {told}", expected, f"give such weights, as in {example}")
    members = front(require_measured(points, objectives), objectives)
    total = sum(weights.values())

    def score(p: Point) -> tuple[float, ...]:
        weighed = sum(weights[o.name] / total * o.goodness(p.values[o.name]) for o in objectives)
        return (round(weighed, 12), *merit(p, objectives, objectives))

    ordered = sorted(members, key=score, reverse=True)
    chosen = ordered[0]
    standing = words.clauses([reasons.standing(chosen, members, o, whose) for o in objectives])
    named = words.listing([f"{words.name(o.name)} {weights[o.name]:g}" for o in objectives])
    reason = (
        f"Trial {chosen.trial} has the largest weighted sum of {whose}, with the weights {named} of objectives that "
        f"are scaled by their natural range: it {standing}{reasons.equals(chosen, members, objectives)}"
    )
    return Pick(chosen, f"{reason}.", runner_up=second(ordered, objectives))
