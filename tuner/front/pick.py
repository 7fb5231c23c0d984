"""Choosing one model from a front; each rule gives its reason in one sentence with the numbers.

The rules: the knee, the best within a distance of some metric's best, and either of them among the
trials that respect limits such as at most 3 features per class. The sentences are made in `reasons.py`.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from tuner.errors import UsageError
from tuner.front.choice import Pick, Rule
from tuner.front.knee import pick_knee
from tuner.front.limits import Limit, pick_at_most, pick_within_limits
from tuner.front.near_best import pick_within
from tuner.front.pareto import Objective, Point

__all__ = ["Limit", "Pick", "pick", "pick_at_most", "pick_knee", "pick_within", "pick_within_limits"]


def pick(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    *,
    at_most: Mapping[str, float] | None = None,
    at_least: Mapping[str, float] | None = None,
    within: float | None = None,
    metric: str | None = None,
) -> Pick:
    """All rules combined, as the command line uses them: limits first, then `within`, or else the knee.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        at_most: upper limits of parameters or values, see `pick_within_limits`.
        at_least: lower limits of them.
        within: distance to the best value of `metric`, see `pick_within`; None: the knee.
        metric: the objective that `within` refers to; None: the first.

    Raises:
        UsageError: no trial qualifies, or an argument is invalid.
    """
    if metric is not None and within is None:
        raise UsageError(
            f"{metric!r} is given without a distance", "both or neither", "add the distance from its best value"
        )
    rule: Rule = pick_knee
    if within is not None:
        rule = partial(pick_within, distance=within, metric=metric or objectives[0].name)
    if not (at_most or at_least):
        return rule(points, objectives)
    limits = [Limit(name, value, "most") for name, value in (at_most or {}).items()]
    limits += [Limit(name, value, "least") for name, value in (at_least or {}).items()]
    return pick_within_limits(points, objectives, limits, rule)
