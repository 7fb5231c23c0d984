"""The best in the other objectives among the members within a distance of one objective's best value."""

from collections.abc import Sequence
from math import isfinite

from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.front import reasons, words
from tuner.front.choice import FRONT, Pick, merit, require_measured
from tuner.front.pareto import Objective, Point, front
from tuner.front.reasons import TIE


def pick_within(
    points: Sequence[Point], objectives: Sequence[Objective], distance: float, metric: str, *, whose: str = FRONT
) -> Pick:
    """Among the members within `distance` of the best value of `metric`, the best in the other objectives.

    With several other objectives: the largest sum of them, each scaled by its natural range. Ties go
    to the better value of `metric`, then to the earlier trial.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        distance: in the metric's unit (percentage points, for percentages), at least 0.
        metric: the name of one of the objectives.
        whose: how the reason refers to the front.

    Raises:
        UsageError: the distance is negative, the metric is not an objective, or the front is empty.
    """
    axis = next((o for o in objectives if o.name == metric), None)
    if axis is None:
        known = [o.name for o in objectives]
        raise UsageError(
            f"{metric!r} is not an objective of this front", f"one of {', '.join(known)}", did_you_mean(metric, known)
        )
    if not (isfinite(distance) and distance >= 0):
        raise UsageError(
            f"the distance is {distance}", "a finite number of at least 0", f"give such a distance, as in 1.0 {metric}"
        )
    others = [o for o in objectives if o is not axis]
    members = front(require_measured(points, objectives), objectives)
    best = max(members, key=lambda p: merit(p, [axis], objectives))
    farthest = distance + TIE * (axis.high - axis.low)
    near = [p for p in members if axis.loss(p.values[metric], best.values[metric]) <= farthest]
    chosen = max(near, key=lambda p: merit(p, others, [axis]))

    changed = [o for o in others if not reasons.same(chosen, best, [o])]
    trades = [reasons.trade(chosen, best, o) for o in changed]
    why = words.clauses([reasons.standing(chosen, members, axis, whose), *trades])
    place = f"within {words.amount(distance, axis.unit)} of the best {words.name(metric)}"
    if not others:
        why += "; with one objective there is nothing to trade the distance for"
    elif len(near) == 1:
        why += f"; no other member of {whose} lies {place}"
    else:
        rivals = words.name(others[0].name) if len(others) == 1 else "the sum of the other objectives"
        number = f"all {len(near)}" if len(near) == len(members) else f"the {len(near)}"
        why += f"; of {number} members of {whose} {place} none does better in {rivals}"
    return Pick(chosen, f"Trial {chosen.trial} {why}{reasons.equals(chosen, members, objectives)}.")
