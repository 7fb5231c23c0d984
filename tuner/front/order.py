"""Which members of a front to confirm first: those that a person would choose."""

from collections.abc import Sequence

from tuner.front.knee import bulges
from tuner.front.pareto import Objective, Point


def by_promise(members: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """Members of a front, the most promising first: the knee, the best in each objective, then by distance.

    The rest follows by how far each lies beyond the plane through the front's extremes, as for the knee
    (`tuner.front.knee`), and then by trial.

    Args:
        members: of one front, with values of all objectives.
        objectives: its axes.
    """
    if not members:
        return []
    beyond = dict(zip((m.trial for m in members), bulges(members, objectives), strict=True))
    ordered = sorted(members, key=lambda m: (-round(beyond[m.trial], 9), m.trial))
    ends = [max(ordered, key=lambda m: (o.goodness(m.values[o.name]), beyond[m.trial], -m.trial)) for o in objectives]
    return list({m.trial: m for m in (*ordered[:1], *ends, *ordered)}.values())
