"""The knee: the member of a front with the best trade-off, or the reason why a front has none."""

from collections.abc import Sequence

import numpy as np

from tuner.front import reasons, words
from tuner.front.choice import FRONT, Pick, merit, require_measured, second
from tuner.front.pareto import Objective, Point, front
from tuner.front.reasons import TIE


def pick_knee(points: Sequence[Point], objectives: Sequence[Objective], *, whose: str = FRONT) -> Pick:
    """The member that lies furthest beyond the plane through the front's extremes.

    Objectives are scaled by the front's own extent; with two of them the plane is the straight line
    between the best member of each (Das 1999, "On characterizing the 'knee' of the Pareto curve based
    on normal-boundary intersection"; Branke et al. 2004, "Finding knees in multi-objective
    optimization"). If three or more extremes do not span a plane that falls in every objective, the
    plane of equal sums replaces it. A member that is best in some objective is an extreme, not a knee.
    A front without a member beyond the plane has no knee: the member with the largest sum of objectives,
    scaled by natural range, is then taken, and the reason says so and names the others. Ties go to the
    larger such sum, then to the better first objective, then to the earlier trial.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        whose: how the reason refers to the front.

    Raises:
        UsageError: no point has a value for every objective.
    """
    known = require_measured(points, objectives)
    members = front(known, objectives)
    between = _between(members, objectives)
    knees = {p.trial: bulge for p, bulge in between if bulge > TIE}
    if knees:
        bulge = dict(zip((p.trial for p in members), bulges(members, objectives), strict=True))

        def furthest(p: Point) -> tuple[float, ...]:  # knees first, then what comes closest to one
            return (p.trial in knees, round(bulge[p.trial], 9), *merit(p, objectives, objectives))

        ordered = sorted(members, key=furthest, reverse=True)
        chosen = ordered[0]
        standing = words.clauses([reasons.standing(chosen, members, o, whose) for o in objectives])
        beyond = f"beyond the {_plane(objectives)} between the extremes"
        compared = f"none of its {len(members)} members lies further {beyond}"
        if max(bulge.values()) > bulge[chosen.trial] + TIE:  # an extreme, of three or more, may lie beyond the plane
            compared = f"none of its {len(between)} members that are best in no objective lies further {beyond}"
            if len(between) == 1:
                compared = f"the only one of its {len(members)} members that is best in no objective lies {beyond}"
        reason = f"Trial {chosen.trial} is the knee of {whose}, the best trade-off: it {standing}, and {compared}"
        told = f"{reason}{reasons.equals(chosen, members, objectives)}."
        return Pick(chosen, told, runner_up=second(ordered, objectives))
    ordered = sorted(members, key=lambda p: merit(p, objectives, objectives), reverse=True)
    chosen = ordered[0]
    standing = words.clauses([reasons.standing(chosen, members, o, whose) for o in objectives])
    others = [p for p in members if not reasons.same(p, chosen, objectives)]
    if len(objectives) == 1:
        why = f"{standing}; with one objective there is no trade-off and so no knee"
        ordered = sorted(known, key=lambda p: merit(p, objectives, objectives), reverse=True)
        others = [p for p in (second(ordered, objectives),) if p is not None]
    elif not others:
        which = "the only member" if len(members) == 1 else f"one of {len(members)} equal members, the whole"
        why = f"is {which} of {whose}, so there is no knee: it {standing}"
    else:
        why = (
            f"is taken though {whose} has no knee ({_flatness(members, between, objectives)}): it has the largest sum "
            f"of objectives, each scaled by its natural range, and {standing}"
        )
    told = f"{reasons.equals(chosen, members, objectives)}{reasons.alternatives(others, objectives)}"
    runner_up = second(ordered, objectives)
    return Pick(chosen, f"Trial {chosen.trial} {why}{told}.", tuple(p.trial for p in others), runner_up=runner_up)


def bulges(members: Sequence[Point], objectives: Sequence[Objective]) -> list[float]:
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
    """The members that are not best in any objective, with their distance beyond the plane."""
    bests = [max(o.goodness(p.values[o.name]) for p in members) for o in objectives]
    return [
        (p, bulge)
        for p, bulge in zip(members, bulges(members, objectives), strict=True)
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
