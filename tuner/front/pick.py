"""Choosing one model from a front, each rule with its reason in one sentence that holds the numbers.

The rules: the knee, the best within a distance of some metric's best, and either of them among the
trials that respect limits such as at most 3 features per class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tuner.errors import UsageError
from tuner.front import words
from tuner.front.pareto import Objective, Point, front, measured

TIE = 1e-9  # what float arithmetic may add between two equal values


@dataclass(frozen=True)
class Pick:
    """One member of a front and why it was chosen, in one sentence."""

    point: Point
    reason: str


Rule = Callable[[Sequence[Point], Sequence[Objective]], Pick]


def pick(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    *,
    at_most: dict[str, float] | None = None,
    within: float | None = None,
    metric: str | None = None,
) -> Pick:
    """The rules together, as a command line asks for them: limits first, then `within`, or else the knee.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        at_most: upper limits of parameters or values, see `pick_at_most`.
        within: distance to the best value of `metric`, see `pick_within`; None: the knee.
        metric: the objective that `within` speaks of; None: the first.

    Raises:
        UsageError: where no trial qualifies, or an argument makes no sense.
    """
    if metric is not None and within is None:
        raise UsageError(
            f"{metric!r} is named without a distance", "both or neither", "say within how much of its best"
        )
    rule: Rule = pick_knee
    if within is not None:
        rule = partial(pick_within, distance=within, metric=metric or objectives[0].name)
    return pick_at_most(points, objectives, at_most, rule) if at_most else rule(points, objectives)


def pick_knee(points: Sequence[Point], objectives: Sequence[Objective]) -> Pick:
    """The member that lies furthest beyond the plane through the front's extremes.

    Objectives are scaled by the front's own extent; with two of them the plane is the straight line
    between the best member of each (Das 1999, "On characterizing the 'knee' of the Pareto curve based
    on normal-boundary intersection"; Branke et al. 2004, "Finding knees in multi-objective
    optimization"). Where three or more extremes span no plane that falls in every objective, it is
    the plane of equal sums. Ties, and fronts without a member beyond the plane, go to the larger sum
    of objectives scaled by natural range, then to the better first objective, then to the earlier trial.

    Raises:
        UsageError: where no point has a value of every objective.
    """
    members = front(_measured(points, objectives), objectives)
    bulges = dict(zip((p.trial for p in members), _bulges(members, objectives), strict=True))
    chosen = max(members, key=lambda p: (round(bulges[p.trial], 9), *_merit(p, objectives, objectives)))
    standing = words.clauses([_standing(chosen, members, o) for o in objectives])
    line = "straight line" if len(objectives) == 2 else "plane"
    equal = [p for p in members if not any(_loss(p, chosen, objectives))]
    if len(members) == 1:
        why = f"is the only member of the front: it {standing}"
    elif len(equal) == len(members):
        why = f"is the first of {len(equal)} equal members, which are the whole front: it {standing}"
    elif bulges[chosen.trial] > TIE:
        why = (
            f"is the knee of the front, where the trade is best: it {standing}, and none of the "
            f"{len(members)} members lies further beyond the {line} between the extremes"
        )
    else:
        why = (
            f"has the largest sum of scaled objectives: it {standing}; the front has no knee, for none of "
            f"its {len(members)} members lies beyond the {line} between the extremes"
        )
    return Pick(chosen, f"Trial {chosen.trial} {why}.")


def pick_within(points: Sequence[Point], objectives: Sequence[Objective], distance: float, metric: str) -> Pick:
    """Among the members within `distance` of the best value of `metric`, the best in the other objectives.

    With several other objectives: the largest sum of them, each scaled by its natural range. Ties go
    to the better value of `metric`, then to the earlier trial.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        distance: in the metric's unit (points, for percentages), at least 0.
        metric: the name of one of the objectives.

    Raises:
        UsageError: for a negative distance, a metric that is no objective, or an empty front.
    """
    axis = next((o for o in objectives if o.name == metric), None)
    if axis is None:
        names = ", ".join(o.name for o in objectives)
        raise UsageError(f"{metric!r} is no objective of this front", f"one of {names}", "name one of them")
    if not distance >= 0:
        raise UsageError(f"the distance is {distance}", "a number of at least 0", "give such a distance")
    others = [o for o in objectives if o is not axis]
    members = front(_measured(points, objectives), objectives)
    best = max(members, key=lambda p: _merit(p, [axis], objectives))
    near = [p for p in members if axis.loss(p.values[metric], best.values[metric]) <= distance + TIE]
    chosen = max(near, key=lambda p: _merit(p, others, [axis]))

    changed = [o for o in others if chosen.values[o.name] != best.values[o.name]]
    why = words.clauses([_standing(chosen, members, axis), *(_trade(o, chosen, best) for o in changed)])
    if others:
        reach = f"{words.amount(distance, axis.unit)} of the best {words.name(metric)}"
        rivals = words.name(others[0].name) if len(others) == 1 else "the sum of the other objectives"
        why += f"; nobody within {reach} does better in {rivals}"
    return Pick(chosen, f"Trial {chosen.trial} {why}.")


def pick_at_most(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    limits: dict[str, float],
    rule: Rule = pick_knee,
) -> Pick:
    """What `rule` picks from the front of the trials that respect all limits.

    The limits come first and the front is that of the remaining trials: with "at most 3 features per
    class" the best such trial counts, also where a trial with 5 beats it (the reason then says so).

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        limits: name of a parameter, or else of a value -> the largest number allowed.
        rule: `pick_knee`, or `functools.partial(pick_within, distance=1.0, metric="accuracy")`.

    Raises:
        UsageError: where no trial respects the limits, naming the nearest, or has a number of that name.
    """
    known = _measured(points, objectives)
    for name in limits:
        _check_limit(name, known)
    numbered = [p for p in known if all(_quantity(p, name) is not None for name in limits)]
    allowed = [p for p in numbered if _excess(p, limits) == 0]
    if numbered and not allowed:
        nearest = min(numbered, key=lambda p: _excess(p, limits))
        has = words.listing([f"{name} {_quantity(nearest, name):g}" for name in limits])
        raise UsageError(
            f"no trial has {words.listing([f'{name} at most {limit:g}' for name, limit in limits.items()])}",
            f"limits that some trial respects; the nearest is trial {nearest.trial} with {has}",
            "raise the limit, or search smaller values",
        )
    chosen = rule(allowed, objectives)
    better = [p for p in known if _beats(p, chosen.point, objectives)]
    aside = f" (trial {better[0].trial}, beyond the limit, beats it)" if better else ""
    told = words.listing([f"{words.name(name)} at most {limit:g}" for name, limit in limits.items()])
    reason = chosen.reason.removeprefix("T").removesuffix(".")
    return Pick(chosen.point, f"Of {len(allowed)} trials with {told}, t{reason}{aside}.")


def _measured(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """The points to choose from, or a clear word that there is none."""
    known = measured(points, objectives)
    if not known:
        raise UsageError(
            f"none of {len(points)} trials has a value of {words.listing([o.name for o in objectives])}",
            "at least one completed trial",
            "let the search run until a trial completes",
        )
    return known


def _bulges(members: Sequence[Point], objectives: Sequence[Objective]) -> list[float]:
    """How far each member lies beyond the plane through the extremes, in units of the front's extent."""
    goodness = np.array([[o.goodness(p.values[o.name]) for o in objectives] for p in members])
    goodness -= goodness.min(axis=0)
    extent = goodness.max(axis=0)
    scaled = goodness[:, extent > 0] / extent[extent > 0]
    n_axes = scaled.shape[1]
    if n_axes == 0:
        return [0.0] * len(members)
    extremes = scaled[[np.lexsort((scaled.sum(axis=1), scaled[:, j]))[-1] for j in range(n_axes)]]
    normal = np.ones(n_axes)
    if np.linalg.matrix_rank(extremes) == n_axes:
        normal = np.linalg.solve(extremes, normal)
    if (normal <= 0).any():
        normal = np.ones(n_axes)
    return [float(row @ normal - 1.0) / float(np.linalg.norm(normal)) for row in scaled]


def _merit(point: Point, summed: Sequence[Objective], then: Sequence[Objective]) -> tuple[float, ...]:
    """What `max` compares: a sum of objectives scaled by natural range, others in turn, the earlier trial."""
    total = sum(o.goodness(point.values[o.name]) for o in summed)
    return (round(total, 9), *(o.goodness(point.values[o.name]) for o in then), -point.trial)


def _standing(point: Point, members: Sequence[Point], objective: Objective) -> tuple[str, str]:
    """`has the best` accuracy (79.0), or `gives up` 0.6 points of accuracy (78.4 against the best 79.0)."""
    best = max(members, key=lambda p: objective.goodness(p.values[objective.name]))
    value, top = (words.number(p.values[objective.name], objective.unit) for p in (point, best))
    if point.values[objective.name] == best.values[objective.name]:
        return "has the best", f"{words.name(objective.name)} ({value})"
    verb, what = _trade(objective, point, best)
    return verb, f"{what} ({value} against the best {top})"


def _trade(objective: Objective, point: Point, other: Point) -> tuple[str, str]:
    """`gains` 7.1 points of interpretability: what taking `point` instead of `other` means."""
    value, against = point.values[objective.name], other.values[objective.name]
    worse, better = ("gives up", "gains") if objective.direction == "max" else ("adds", "saves")
    verb = worse if objective.loss(value, against) > 0 else better
    of = "of " if objective.unit else ""
    return verb, f"{words.gap(value, against, objective.unit)} {of}{words.name(objective.name)}"


def _quantity(point: Point, name: str) -> float | None:
    """A parameter, or else a value, if it is a number."""
    value = point.params.get(name, point.values.get(name))
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _excess(point: Point, limits: dict[str, float]) -> float:
    """By how much of the limits a point goes beyond them, summed; 0 = respects all."""
    over = ((_quantity(point, name) or 0.0) - limit for name, limit in limits.items())
    scales = (max(abs(limit), 1.0) for limit in limits.values())
    return sum(max(0.0, beyond) / scale for beyond, scale in zip(over, scales, strict=True))


def _loss(one: Point, other: Point, objectives: Sequence[Objective]) -> list[float]:
    """How much worse `one` is than `other` in each objective."""
    return [o.loss(one.values[o.name], other.values[o.name]) for o in objectives]


def _beats(one: Point, other: Point, objectives: Sequence[Objective]) -> bool:
    """Dominance: nowhere worse, somewhere better."""
    losses = _loss(one, other, objectives)
    return max(losses) <= 0 and min(losses) < 0


def _check_limit(name: str, points: Sequence[Point]) -> None:
    """Refuse a limit on something that is a number of no trial."""
    if all(_quantity(p, name) is None for p in points):
        known = {n for p in points for n in (*p.params, *p.values) if _quantity(p, n) is not None}
        raise UsageError(
            f"no trial has a number named {name!r}", f"one of {', '.join(sorted(known))}", "name one of them"
        )
