"""Choosing one model from a front, each rule with its reason in one sentence that holds the numbers.

The rules: the knee, the best within a distance of some metric's best, and either of them among the
trials that respect limits such as at most 3 features per class. The sentences are made in `reasons.py`.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Literal

import numpy as np

from tuner.errors import UsageError
from tuner.front import reasons, words
from tuner.front.pareto import Objective, Point, front, measured
from tuner.front.reasons import TIE

FRONT = "the front"
LIMITED = "the front within the limits"


@dataclass(frozen=True)
class Pick:
    """One member of a front and why it was chosen, in one sentence.

    Args:
        point: the trial.
        reason: the sentence.
        alternatives: the other members where the rule could not tell them apart, such as on a front without a knee.
    """

    point: Point
    reason: str
    alternatives: tuple[int, ...] = ()


Rule = Callable[..., Pick]


@dataclass(frozen=True)
class Limit:
    """A limit on a parameter, or else on a value.

    Args:
        name: of the parameter or value.
        bound: the largest or the smallest number allowed, in its unit.
        kind: whether it is the largest ("most") or the smallest ("least").
    """

    name: str
    bound: float
    kind: Literal["most", "least"] = "most"

    def __str__(self) -> str:
        return f"{self.name} at {self.kind} {self.bound:g}"

    def excess(self, value: float) -> float:
        """By how much of the bound a value goes beyond it; 0: it respects the limit."""
        beyond = value - self.bound if self.kind == "most" else self.bound - value
        share = beyond / max(abs(self.bound), 1.0)
        return share if share > TIE else 0.0


def pick(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    *,
    at_most: Mapping[str, float] | None = None,
    at_least: Mapping[str, float] | None = None,
    within: float | None = None,
    metric: str | None = None,
) -> Pick:
    """The rules together, as a command line asks for them: limits first, then `within`, or else the knee.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        at_most: upper limits of parameters or values, see `pick_within_limits`.
        at_least: lower limits of them.
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
    if not (at_most or at_least):
        return rule(points, objectives)
    limits = [Limit(name, value, "most") for name, value in (at_most or {}).items()]
    limits += [Limit(name, value, "least") for name, value in (at_least or {}).items()]
    return pick_within_limits(points, objectives, limits, rule)


def pick_knee(points: Sequence[Point], objectives: Sequence[Objective], *, whose: str = FRONT) -> Pick:
    """Of the members between the front's extremes the one that lies furthest beyond the plane through them.

    Objectives are scaled by the front's own extent; with two of them the plane is the straight line
    between the best member of each (Das 1999, "On characterizing the 'knee' of the Pareto curve based
    on normal-boundary intersection"; Branke et al. 2004, "Finding knees in multi-objective
    optimization"). Where three or more extremes span no plane that falls in every objective, it is
    the plane of equal sums. Whatever is the best in some objective is an extreme and no knee. A front
    without a member beyond the plane has no knee: the largest sum of objectives scaled by natural range
    is taken then, and the reason says so and names the others. Ties go to the larger such sum, then to
    the better first objective, then to the earlier trial.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        whose: what the reason calls the front.

    Raises:
        UsageError: where no point has a value of every objective.
    """
    known = _measured(points, objectives)
    members = front(known, objectives)
    between = _between(members, objectives)
    knees = {p.trial: bulge for p, bulge in between if bulge > TIE}
    if knees:
        beyond = [p for p in members if p.trial in knees]
        chosen = max(beyond, key=lambda p: (round(knees[p.trial], 9), *_merit(p, objectives, objectives)))
        standing = words.clauses([reasons.standing(chosen, members, o, whose) for o in objectives])
        reason = (
            f"Trial {chosen.trial} is the knee of {whose}, where the trade is best: it {standing}, and none of its "
            f"{len(members)} members lies further beyond the {_plane(objectives)} between the extremes"
        )
        return Pick(chosen, f"{reason}{reasons.equals(chosen, members, objectives)}.")
    chosen = max(members, key=lambda p: _merit(p, objectives, objectives))
    standing = words.clauses([reasons.standing(chosen, members, o, whose) for o in objectives])
    others = [p for p in members if not reasons.same(p, chosen, objectives)]
    if len(objectives) == 1:
        why = f"{standing}; with one objective there is no trade-off and so no knee"
        others = _runners_up(chosen, known, objectives)
    elif not others:
        which = "the only member" if len(members) == 1 else f"one of {len(members)} equal members, the whole"
        why = f"is {which} of {whose}, so there is no knee: it {standing}"
    else:
        why = (
            f"is taken though {whose} has no knee ({_flatness(members, between, objectives)}): it has the largest sum "
            f"of objectives, each scaled by its natural range, and {standing}"
        )
    told = f"{reasons.equals(chosen, members, objectives)}{reasons.alternatives(others, objectives)}"
    return Pick(chosen, f"Trial {chosen.trial} {why}{told}.", tuple(p.trial for p in others))


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
        whose: what the reason calls the front.

    Raises:
        UsageError: for a negative distance, a metric that is no objective, or an empty front.
    """
    axis = next((o for o in objectives if o.name == metric), None)
    if axis is None:
        known = [o.name for o in objectives]
        raise UsageError(
            f"{metric!r} is no objective of this front", f"one of {', '.join(known)}", _advice(metric, known)
        )
    if not (isfinite(distance) and distance >= 0):
        raise UsageError(
            f"the distance is {distance}", "a finite number of at least 0", f"give such a distance, as in 1.0 {metric}"
        )
    others = [o for o in objectives if o is not axis]
    members = front(_measured(points, objectives), objectives)
    best = max(members, key=lambda p: _merit(p, [axis], objectives))
    reach = distance + TIE * (axis.high - axis.low)
    near = [p for p in members if axis.loss(p.values[metric], best.values[metric]) <= reach]
    chosen = max(near, key=lambda p: _merit(p, others, [axis]))

    changed = [o for o in others if not reasons.same(chosen, best, [o])]
    trades = [reasons.trade(chosen, best, o) for o in changed]
    why = words.clauses([reasons.standing(chosen, members, axis, whose), *trades])
    place = f"within {words.amount(distance, axis.unit)} of the best {words.name(metric)}"
    if not others:
        why += "; with one objective no distance from the best is worth anything"
    elif len(near) == 1:
        why += f"; no other member of {whose} lies {place}"
    else:
        rivals = words.name(others[0].name) if len(others) == 1 else "the sum of the other objectives"
        number = f"all {len(near)}" if len(near) == len(members) else f"the {len(near)}"
        why += f"; of {number} members of {whose} {place} none does better in {rivals}"
    return Pick(chosen, f"Trial {chosen.trial} {why}{reasons.equals(chosen, members, objectives)}.")


def pick_at_most(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    limits: Mapping[str, float],
    rule: Rule = pick_knee,
) -> Pick:
    """As `pick_within_limits`, with upper limits only: name of a parameter or value -> the largest number allowed."""
    return pick_within_limits(points, objectives, [Limit(name, bound) for name, bound in limits.items()], rule)


def pick_within_limits(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
    rule: Rule = pick_knee,
) -> Pick:
    """What `rule` picks from the front of the trials that respect all limits.

    The limits come first and the front is that of the remaining trials: with "at most 3 features per
    class" the best such trial counts, also where a trial with 5 beats it (the reason then says so).

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        limits: on parameters or values.
        rule: `pick_knee`, or `functools.partial(pick_within, distance=1.0, metric="accuracy")`.

    Raises:
        UsageError: where no trial respects the limits, naming the nearest, or has a number of that name.
    """
    known = _measured(points, objectives)
    for limit in limits:
        _check_limit(limit, known)
    limited = list(dict.fromkeys(limit.name for limit in limits))
    numbered = [p for p in known if all(_quantity(p, name) is not None for name in limited)]
    allowed = [p for p in numbered if _excess(p, limits) == 0]
    asked = words.listing([str(limit) for limit in limits])
    if not allowed:
        nearest = min(numbered, key=lambda p: _excess(p, limits), default=None)
        close = "" if nearest is None else f"; the nearest is trial {nearest.trial} with {_has(nearest, limited)}"
        raise UsageError(
            f"no trial has {asked}",
            f"limits that some trial respects{close}",
            "raise the limit, or search smaller values"
            if all(limit.kind == "most" for limit in limits)
            else "loosen the limits, or search values within them",
        )
    chosen = rule(allowed, objectives, whose=LIMITED)
    better = next((p for p in numbered if _beats(p, chosen.point, objectives)), None)
    aside = f"; trial {better.trial} beats it, but with {_has(better, limited)}" if better else ""
    missing = len(known) - len(numbered)
    aside += f"; {missing} {'trial has' if missing == 1 else 'trials have'} no such number" if missing else ""
    who = f"trial {chosen.point.trial} ({_has(chosen.point, limited)})"
    start = f"Of the {len(allowed)} trials with {asked}, {who}"
    if len(allowed) == 1:
        start = f"T{who[1:]}, the only one with {asked},"
    rest = chosen.reason.removeprefix(f"Trial {chosen.point.trial} ").removesuffix(".")
    return Pick(chosen.point, f"{start} {rest}{aside}.", chosen.alternatives)


def _measured(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """The points to choose from, or a clear word that there is none."""
    known = measured(points, objectives)
    if not known:
        raise UsageError(
            f"none of {len(points)} trials has a value of {words.listing([o.name for o in objectives])}",
            "at least one trial with all of them",
            "let the search run until such a trial completes, or choose other objectives",
        )
    return known


def _bulges(members: Sequence[Point], objectives: Sequence[Objective]) -> list[float]:
    """How far each member lies beyond the plane through the extremes, in units of the front's extent."""
    goodness = np.array([[o.goodness(p.values[o.name]) for o in objectives] for p in members])
    goodness -= goodness.min(axis=0)
    extent = goodness.max(axis=0)
    scaled = goodness[:, extent > TIE] / extent[extent > TIE]
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


def _between(members: Sequence[Point], objectives: Sequence[Objective]) -> list[tuple[Point, float]]:
    """The members that are the best in no objective, each with how far it lies beyond the plane."""
    bests = [max(o.goodness(p.values[o.name]) for p in members) for o in objectives]
    return [
        (p, bulge)
        for p, bulge in zip(members, _bulges(members, objectives), strict=True)
        if all(best - o.goodness(p.values[o.name]) > TIE for o, best in zip(objectives, bests, strict=True))
    ]


def _plane(objectives: Sequence[Objective]) -> str:
    return "straight line" if len(objectives) == 2 else "plane"


def _flatness(members: Sequence[Point], between: Sequence[tuple[Point, float]], objectives: Sequence[Objective]) -> str:
    """Why a front of different members has no knee."""
    plane = f"the {_plane(objectives)} between the extremes"
    if not between:
        return "nothing lies between its extremes"
    if all(bulge > -TIE for _, bulge in between):
        return f"its {len(members)} members all lie on {plane}"
    return f"none of its {len(members)} members lies beyond {plane}"


def _runners_up(chosen: Point, known: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """With one objective the front is its best alone; the next best trial is what could be taken instead."""
    others = [p for p in known if not reasons.same(p, chosen, objectives)]
    return [max(others, key=lambda p: _merit(p, objectives, objectives))] if others else []


def _merit(point: Point, summed: Sequence[Objective], then: Sequence[Objective]) -> tuple[float, ...]:
    """What `max` compares: a sum of objectives scaled by natural range, others in turn, the earlier trial."""
    total = sum(o.goodness(point.values[o.name]) for o in summed)
    return (round(total, 9), *(o.goodness(point.values[o.name]) for o in then), -point.trial)


def _quantity(point: Point, name: str) -> float | None:
    """A parameter, or else a value, if it is a number."""
    value = point.params.get(name, point.values.get(name))
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def _has(point: Point, limits: Iterable[str]) -> str:
    """A trial's own numbers of what is limited."""
    return words.listing([f"{name} {_quantity(point, name):g}" for name in limits])


def _excess(point: Point, limits: Iterable[Limit]) -> float:
    """By how much of the limits a point goes beyond them, summed; 0: it respects all."""
    return sum(limit.excess(_quantity(point, limit.name) or 0.0) for limit in limits)


def _beats(one: Point, other: Point, objectives: Sequence[Objective]) -> bool:
    """Dominance: nowhere worse, somewhere better."""
    losses = [o.loss(one.values[o.name], other.values[o.name]) for o in objectives]
    return max(losses) <= 0 and min(losses) < 0


def _check_limit(limit: Limit, points: Sequence[Point]) -> None:
    """Refuse a limit that is no number, or on something that is a number of no trial."""
    if not isfinite(limit.bound):
        what = f"the limit of {limit.name} is {limit.bound}"
        raise UsageError(what, "a finite number", f"give a number, as in {limit.name}=3")
    if all(_quantity(p, limit.name) is None for p in points):
        known = sorted({n for p in points for n in (*p.params, *p.values) if _quantity(p, n) is not None})
        what = f"no trial has a number named {limit.name!r}"
        raise UsageError(what, f"one of {', '.join(known)}", _advice(limit.name, known))


def _advice(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else "name one of them"
