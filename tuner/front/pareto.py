"""Non-dominated trials, and the share of the objective space that they dominate (hypervolume).

moocore computes dominance and hypervolume; this file passes it the project's points and objectives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any, Literal

import moocore
import numpy as np
import numpy.typing as npt

from tuner.errors import UsageError
from tuner.front import uncertainty

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """One axis of the trade-off.

    Args:
        name: the metric's name, a key of `Point.values`.
        direction: whether more or less of it is better.
        low: lower end of the natural range, in the metric's unit.
        high: upper end of the natural range, in the metric's unit.
        unit: "%" (differences are then in percentage points), another unit, or "" for a plain number.
        best: the best value that can be reached, where it is not the end of the natural range.
    """

    name: str
    direction: Literal["max", "min"]
    low: float
    high: float
    unit: str = "%"
    best: float | None = None

    def __post_init__(self) -> None:
        """Refuse a range that values cannot be scaled by."""
        if not self.low < self.high:
            raise UsageError(
                f"objective {self.name} has the natural range {self.low} to {self.high}",
                "a lower end below the upper end",
                "give the metric's natural range, such as 0 to 100",
            )

    @property
    def ideal(self) -> float:
        """The best value that there can be, in the metric's unit."""
        if self.best is not None:
            return self.best
        return self.high if self.direction == "max" else self.low

    def goodness(self, value: float) -> float:
        """The value on a scale where 0 is the worst and 1 the best end of the natural range (not clipped)."""
        share = (value - self.low) / (self.high - self.low)
        return share if self.direction == "max" else 1.0 - share

    def loss(self, value: float, best: float) -> float:
        """How much worse `value` is than `best`, in the metric's unit; negative where it is better."""
        return best - value if self.direction == "max" else value - best


@dataclass(frozen=True)
class Point:
    """A measured trial.

    Args:
        trial: its number in the search.
        params: its parameters, as in the recipe's space.
        values: metric name -> value in the metric's unit.
        model: store key of the fine-tuned model's artifact, if it exists.
        errors: metric name -> one standard error, where more is known than the number of images.
        violates: the outcome constraints of its search that it violates, as text.
    """

    trial: int
    params: dict[str, Any] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    model: str | None = None
    errors: dict[str, float] = field(default_factory=dict)
    violates: tuple[str, ...] = ()

    def error(self, metric: str) -> float | None:
        """One standard error of a value, in the metric's unit; None if it is unknown."""
        known = self.errors.get(metric)
        return uncertainty.error(metric, self.values) if known is None or not isfinite(known) else known


def measured(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """The points with a finite value of every objective; every function here ignores all others."""
    return [p for p in points if _is_measured(p, objectives)]


def front(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """The non-dominated points, in the order given; points equal in all objectives are all members.

    Points that violate a constraint are no members, unless all points do.
    """
    return [p for p, rank in zip(points, ranks(points, objectives), strict=True) if rank == 1]


def ranks(points: Sequence[Point], objectives: Sequence[Objective]) -> list[int]:
    """Non-dominated sorting (Deb et al. 2002, NSGA-II): the front each point belongs to.

    Returns:
        One rank per point: 1 = on the front, 2 = on the front once rank 1 is removed, and so on;
        0 = lacks a value for some objective. Points that violate a constraint follow after all others.
    """
    found = [0] * len(points)
    known = [place for place, point in enumerate(points) if _is_measured(point, objectives)]
    worst = 0
    for violating in (False, True):
        places = [place for place in known if bool(points[place].violates) == violating]
        if places:
            sorted_ranks = moocore.pareto_rank(_losses([points[place] for place in places], objectives))
            for place, rank in zip(places, sorted_ranks, strict=True):
                found[place] = worst + int(rank) + 1
            worst = max(found)
    return found


def beats(one: Point, other: Point, objectives: Sequence[Objective]) -> bool:
    """Dominance: one is nowhere worse than the other, and somewhere better."""
    losses = [o.loss(one.values[o.name], other.values[o.name]) for o in objectives]
    return max(losses) <= 0 and min(losses) < 0


def _is_measured(point: Point, objectives: Sequence[Objective]) -> bool:
    return all(isfinite(point.values.get(o.name, nan)) for o in objectives)


def _losses(points: Sequence[Point], objectives: Sequence[Objective]) -> Array:
    """(n_points, n_objectives), every objective signed so that less is better, unrounded."""
    signs = [-1.0 if o.direction == "max" else 1.0 for o in objectives]
    values = [[p.values[o.name] for o in objectives] for p in points]
    return np.array(values, dtype=np.float64).reshape(len(points), len(objectives)) * signs
