"""Choosing one model from a front; each rule gives its reason in one sentence with the numbers.

`rules.py` holds what can be asked, and each rule has a file: the knee, distances from some objective's best, limits
such as at most 3 features per class, a reference point, weights, an order, a number. `reasons.py` makes the sentences.
"""

from collections.abc import Sequence

from tuner.front.choice import FRONT, Pick
from tuner.front.limits import Limit, pick_within_limits, refuse_outside
from tuner.front.pareto import Objective, Point
from tuner.front.rules import Rules

__all__ = ["Limit", "Pick", "Rules", "pick", "pick_within_limits"]


def pick(
    points: Sequence[Point], objectives: Sequence[Objective], rules: Rules | None = None, *, whose: str = FRONT
) -> Pick:
    """All rules combined: limits first, then distances, then the rule that takes one.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        rules: what is asked; None: the knee.
        whose: how the reason refers to the front.

    Raises:
        UsageError: no trial qualifies, or an argument is invalid.
    """
    rules = rules or Rules()
    if rules.trial is not None:
        refuse_outside(points, rules.trial, rules.limits)
    rule = rules.rule()
    if rules.limits:
        return pick_within_limits(points, objectives, rules.limits, rule, whose=whose)
    return rule(points, objectives, whose=whose)
