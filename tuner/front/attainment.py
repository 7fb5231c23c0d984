"""Where one front of two objectives attains more than another: the difference of their attainment surfaces.

A front attains a pair of values if some member is at least as good in both. For each value of the first objective, the
surface is the best value of the second one that the front attains with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tuner.front.pareto import Objective, Point
from tuner.front.reasons import TIE

Ahead = Literal["first", "second", "neither"]


@dataclass(frozen=True)
class Stretch:
    """A range of the first objective in which the same front is ahead.

    Attributes:
        worst: its worse end, in the first objective's unit; None: unbounded.
        best: its better end.
        ahead: which front attains more in it.
        gap: how much more, at most, in the second objective's unit; None where the other front attains nothing there.
        between: the members at which the gap is that large: of the first and of the second front; None as above.
    """

    worst: float | None
    best: float
    ahead: Ahead
    gap: float | None
    between: tuple[int | None, int | None]

    def to_json(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return {**self.__dict__, "between": list(self.between)}


def stretches(first: Sequence[Point], second: Sequence[Point], objectives: Sequence[Objective]) -> list[Stretch]:
    """The ranges of the first objective, from its worse end to its better one, in which one front is ahead.

    Args:
        first: members of the first front.
        second: members of the second front.
        objectives: two axes.
    """
    x, y = objectives
    ends = sorted({x.goodness(p.values[x.name]) for p in (*first, *second)})
    found: list[Stretch] = []
    worst: float | None = None
    for end in ends:
        one, two = (_attained(points, x, y, end) for points in (first, second))
        best = next(p.values[x.name] for p in (*first, *second) if x.goodness(p.values[x.name]) == end)
        found.append(_stretch(one, two, y, worst, best))
        worst = best
    return _merged(found)


def _attained(points: Sequence[Point], x: Objective, y: Objective, end: float) -> Point | None:
    """The best in the second objective of those at least as good in the first; None: nobody is."""
    reach = [p for p in points if x.goodness(p.values[x.name]) >= end]
    return max(reach, key=lambda p: y.goodness(p.values[y.name]), default=None)


def _stretch(one: Point | None, two: Point | None, y: Objective, worst: float | None, best: float) -> Stretch:
    between = (one.trial if one else None, two.trial if two else None)
    if one is None or two is None:
        return Stretch(worst, best, "first" if one else "second", None, between)
    lost = y.loss(two.values[y.name], one.values[y.name])
    if abs(lost) <= TIE * (y.high - y.low):
        return Stretch(worst, best, "neither", 0.0, between)
    return Stretch(worst, best, "first" if lost > 0 else "second", abs(lost), between)


def _merged(found: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours in which the same front is ahead, as one; what the other does not reach at all stays apart."""
    merged: list[Stretch] = []
    for stretch in found:
        last = merged[-1] if merged else None
        if last is None or (last.ahead, last.gap is None) != (stretch.ahead, stretch.gap is None):
            merged.append(stretch)
            continue
        larger = max(last, stretch, key=lambda s: s.gap or 0.0)
        merged[-1] = Stretch(last.worst, stretch.best, last.ahead, larger.gap, larger.between)
    return merged
