"""The members within a distance of the best value of some objectives, and what a rule takes among them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite

from tuner.errors import UsageError
from tuner.front import reasons, words
from tuner.front.choice import FRONT, NEAR, Pick, Rule, axis_of, merit, narrowed, require_measured, second
from tuner.front.pareto import Objective, Point, front
from tuner.front.reasons import TIE


def pick_within(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    distances: Mapping[str, float],
    then: Rule | None = None,
    *,
    whose: str = FRONT,
) -> Pick:
    """Among the members within all distances of the best values, what `then` takes, or the best in what is left.

    What is left are the objectives without a distance, or all of them if each has one. Of several it is the largest
    sum, each scaled by its natural range. Ties go to the better value of those with a distance, then to the earlier
    trial.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        distances: names of objectives -> the allowed distance from the best value of the front in the metric's unit
            (percentage points, for percentages), at least 0.
        then: the rule that takes one of those within.
        whose: how the reason refers to the front.

    Raises:
        UsageError: a distance is negative, a name is not an objective, the front is empty, or no member is within
            all distances; the nearest is then named.
    """
    axes = [axis_of(name, objectives) for name in distances]
    for name, distance in distances.items():
        if not (isfinite(distance) and distance >= 0):
            todo = f"give such a distance, as in 1.0 {name}"
            raise UsageError(f"the distance is {distance}", "a finite number of at least 0", todo)
    members = front(require_measured(points, objectives), objectives)
    bests = [max(members, key=lambda p, axis=axis: merit(p, [axis], objectives)) for axis in axes]  # type: ignore[misc]

    def excess(p: Point) -> list[float]:
        """How much farther than allowed, for each distance, in shares of the natural range."""
        found = []
        for axis, best in zip(axes, bests, strict=True):
            over = axis.loss(p.values[axis.name], best.values[axis.name]) - distances[axis.name]
            found.append(max(0.0, over / (axis.high - axis.low) - TIE))
        return found

    near = [p for p in members if max(excess(p)) == 0]
    allowed = [(words.amount(distances[axis.name], axis.unit), words.name(axis.name)) for axis in axes]
    place = words.listing([f"within {amount} of the best {name}" for amount, name in allowed])
    if not near:
        raise _nobody(min(members, key=lambda p: (max(excess(p)), p.trial)), axes, bests, distances, place)
    if then is not None:
        number = f"all {len(near)}" if len(near) == len(members) else f"the {len(near)}"
        chosen = then(near, objectives, whose=narrowed(whose, NEAR))
        reach = f"within reach are {number} members of {whose} that lie" if len(near) > 1 else "no other one lies"
        return replace(chosen, reason=f"{chosen.reason.removesuffix('.')}; {reach} {place}.")
    return _best_of_the_rest(near, members, objectives, axes, bests[0], whose, place)


def _best_of_the_rest(
    near: Sequence[Point],
    members: Sequence[Point],
    objectives: Sequence[Objective],
    axes: Sequence[Objective],
    best: Point,
    whose: str,
    place: str,
) -> Pick:
    """The best in the objectives without a distance, or in all if each has one; `best` is that of the first axis."""
    others = [o for o in objectives if o not in axes]
    ordered = sorted(near, key=lambda p: merit(p, others or objectives, axes), reverse=True)
    taken = ordered[0]
    changed = [o for o in others if not reasons.same(taken, best, [o])]
    standings = [reasons.standing(taken, members, axis, whose) for axis in axes]
    why = words.clauses([*standings, *(reasons.trade(taken, best, o) for o in changed)])
    if len(objectives) == 1:
        why += "; with one objective there is nothing to trade the distance for"
    elif len(near) == 1:
        why += f"; no other member of {whose} lies {place}"
    else:
        number = f"all {len(near)}" if len(near) == len(members) else f"the {len(near)}"
        rivals = words.name(others[0].name) if len(others) == 1 else "the sum of the other objectives"
        rivals = rivals if others else "the sum of the objectives"
        why += f"; of {number} members of {whose} {place} none does better in {rivals}"
    told = f"Trial {taken.trial} {why}{reasons.equals(taken, members, objectives)}."
    return Pick(taken, told, runner_up=second(ordered, objectives))


def _nobody(
    nearest: Point, axes: Sequence[Objective], bests: Sequence[Point], distances: Mapping[str, float], place: str
) -> UsageError:
    """No member is within all distances: which is the nearest, and what it misses."""
    missed = []
    for axis, best in zip(axes, bests, strict=True):
        lost = axis.loss(nearest.values[axis.name], best.values[axis.name])
        if lost > distances[axis.name] + TIE * (axis.high - axis.low):
            allowed = words.value(distances[axis.name], "" if axis.unit == "%" else axis.unit)
            lies = f"{words.amount(lost, axis.unit)} from the best {words.name(axis.name)}"
            missed.append(f"{lies} (allowed: {allowed})")
    return UsageError(
        f"no member of the front lies {place}",
        f"distances that some member keeps; the nearest is trial {nearest.trial}, which lies {words.listing(missed)}",
        "allow larger distances, or name fewer objectives",
    )
