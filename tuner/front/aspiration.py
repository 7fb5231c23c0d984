"""The member that comes closest to wishes: the achievement scalarising function of a reference point
(docs/explanation/method.md#pick)."""

from collections.abc import Mapping, Sequence
from math import isfinite

from tuner.errors import UsageError
from tuner.front import reasons, words
from tuner.front.choice import FRONT, Pick, axis_of, merit, require_measured, second
from tuner.front.pareto import Objective, Point, front
from tuner.front.reasons import TIE

RHO = 1e-3
"""Weight of the sum of all objectives beside the worst one; small, so that it only tells apart what is nearly equal."""


def pick_by_aspiration(
    points: Sequence[Point], objectives: Sequence[Objective], wishes: Mapping[str, float], *, whose: str = FRONT
) -> Pick:
    """The member whose worst shortfall from the wishes is the smallest, or that exceeds them most evenly.

    It maximises min_i (g_i(z) - g_i(r)) + RHO * sum_j g_j(z), with g an objective scaled by its natural range, i over
    the objectives that have a wish and j over all (Wierzbicki 1980, "The use of reference objectives in multiobjective
    optimization"). So it finds members in dents of a front too, which no weighted sum reaches.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        wishes: names of objectives -> the value that is aspired to, in the metric's unit.
        whose: how the reason refers to the front.

    Raises:
        UsageError: a name is not an objective, a wish is no finite number, or the front is empty.
    """
    axes = [axis_of(name, objectives) for name in wishes]
    for name, wish in wishes.items():
        if not isfinite(wish):
            raise UsageError(f"the wish for {name} is {wish}", "a finite number", f"give one, as in {name}=80")
    members = front(require_measured(points, objectives), objectives)

    def surplus(p: Point, axis: Objective) -> float:
        return axis.goodness(p.values[axis.name]) - axis.goodness(wishes[axis.name])

    def smallest(p: Point) -> float:
        return min(surplus(p, axis) for axis in axes)

    def score(p: Point) -> tuple[float, ...]:
        total = sum(o.goodness(p.values[o.name]) for o in objectives)
        return (round(smallest(p) + RHO * total, 12), *merit(p, objectives, objectives))

    ordered = sorted(members, key=score, reverse=True)
    chosen = ordered[0]
    reached = smallest(chosen) >= -TIE
    wished = words.listing([f"{words.name(a.name)} {words.value(wishes[a.name], a.unit)}" for a in axes])
    told = words.clauses([_against(chosen, axis, wishes[axis.name]) for axis in axes])
    start = f"Trial {chosen.trial} {'reaches' if reached else 'comes closest to'} {wished}: it {told}"
    measure = "a larger smallest surplus" if reached else "a smaller largest shortfall"
    scaled = " of the natural range" if len({(a.low, a.high) for a in axes}) > 1 else ""
    share = f" as a share{scaled}" if scaled else ""
    which = f"none of the {len(members)} members of {whose} has {measure}{share}"
    if len(members) == 1:
        which = f"it is the only member of {whose}"
    ahead = max(members, key=smallest)
    if (gained := smallest(ahead) - smallest(chosen)) > TIE:  # the sum of all objectives has decided
        first = axes[0]
        more = f"{100 * gained:.2g} %" if share else words.amount(gained * (first.high - first.low), first.unit)
        which = f"trial {ahead.trial} has {measure}{share}, by {more}, and does worse in the sum of all objectives"
    reason = f"{start}; {which}{reasons.equals(chosen, members, objectives)}."
    return Pick(chosen, reason, runner_up=second(ordered, objectives))


def _against(point: Point, axis: Objective, wish: float) -> tuple[str, str]:
    """`misses` accuracy by 1.6 percentage points (78.4 %)."""
    value = point.values[axis.name]
    lost = axis.loss(value, wish)
    name, has = words.name(axis.name), reasons.measured(point, axis)
    if abs(lost) <= TIE * (axis.high - axis.low):
        return "meets", f"{name} exactly ({has})"
    return ("misses" if lost > 0 else "betters"), f"{name} by {words.gap(value, wish, axis.unit)} ({has})"
