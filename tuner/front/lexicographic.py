"""The lexicographic choice: the best in the first objective, and only among equals the best in the next one."""

from collections.abc import Sequence

from tuner.errors import UsageError
from tuner.front import reasons, words
from tuner.front.choice import FRONT, Pick, axis_of, require_measured, second
from tuner.front.pareto import Objective, Point, front


def pick_in_order(
    points: Sequence[Point], objectives: Sequence[Objective], order: Sequence[str], *, whose: str = FRONT
) -> Pick:
    """The best in the first objective of the order; among equals the best in the next one, and so on.

    Values are compared unrounded, so the first objective nearly always decides. A distance from its best value
    (`pick_within`, with this as the rule that follows) lets the next ones decide among what is nearly as good.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        order: names of objectives, the most important first; the others follow in their own order.
        whose: how the reason refers to the front.

    Raises:
        UsageError: a name is not an objective, or is there twice, or the front is empty.
    """
    if len(set(order)) < len(order):
        raise UsageError(f"the order is {', '.join(order)}", "each objective once", "leave out what is there twice")
    named = [axis_of(name, objectives) for name in order]
    axes = [*named, *(o for o in objectives if o not in named)]
    members = front(require_measured(points, objectives), objectives)
    ordered = sorted(members, key=lambda p: (*(round(o.goodness(p.values[o.name]), 9) for o in axes), -p.trial))[::-1]
    chosen, left, decided = ordered[0], members, list[Objective]()
    for axis in axes:
        best = max(left, key=lambda p: axis.goodness(p.values[axis.name]))
        left = [p for p in left if reasons.same(p, best, [axis])]
        decided.append(axis)
        if len(left) == 1:
            break
    told = ", ".join(words.name(o.name) for o in named)
    standing = words.clauses([reasons.standing(chosen, members, o, whose) for o in axes])
    equal = ""
    if len(decided) > 1 and len(members) > 1:
        equal = f"; members equal in {words.listing([words.name(o.name) for o in decided[:-1]])} are told apart by "
        equal += words.name(decided[-1].name)
    reason = f"Trial {chosen.trial} comes first in the order {told}: it {standing}{equal}"
    reason += reasons.equals(chosen, members, objectives)
    return Pick(chosen, f"{reason}.", runner_up=second(ordered, objectives))
