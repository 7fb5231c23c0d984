"""Two fronts side by side: common hypervolume, what only one of them attains, coverage, and the epsilon indicator.

moocore computes hypervolume and epsilon; this file brings both fronts to one scale
(docs/explanation/method.md#two-fronts).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import moocore
import numpy as np
import numpy.typing as npt

from tuner.errors import UsageError
from tuner.front.hypervolume import MARGIN
from tuner.front.pareto import Objective, Point, beats, front

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """The part of the objective space in which two fronts are compared.

    Attributes:
        worst: the reference: objective -> value beyond which nothing counts.
        best: objective -> the best value of any member.
    """

    worst: Mapping[str, float]
    best: Mapping[str, float]

    def scaled(self, values: Array, objectives: Sequence[Objective]) -> Array:
        """Values (n, n_objectives), 0 at the reference and 1 at the best member; more is better."""
        worst, best = (np.array([side[o.name] for o in objectives]) for side in (self.worst, self.best))
        return np.asarray((values - worst) / (best - worst))

    def hypervolume(self, values: Array, objectives: Sequence[Objective], *, beyond: bool = False) -> float:
        """The share of the box that is dominated by points (n, n_objectives); what lies outside is cut to it.

        With `beyond`, what is better than the best member counts too, so that the share may be above 1.
        """
        inside = np.clip(self.scaled(values, objectives), 0.0, np.inf if beyond else 1.0)
        return float(moocore.hypervolume(inside, ref=0.0, maximise=True)) if len(inside) else 0.0


@dataclass(frozen=True)
class TwoFronts:
    """What two fronts have in common, and what each has for itself; each pair is of the first and the second front.

    Attributes:
        box: where they are compared.
        hypervolume: share of the box that each dominates (Zitzler and Thiele 1999).
        only: share of the box that only this one dominates.
        epsilon: the additive epsilon indicator (Zitzler et al. 2003): how much must be added to each objective of this
            front, as a share of what the box spans, until it is nowhere worse than the other; at most 0: it is not.
        covered: members of this front that some member of the other dominates.
        joint: members of this front on the front of both together.
        members: their numbers.
    """

    box: Box
    hypervolume: tuple[float, float]
    only: tuple[float, float]
    epsilon: tuple[float, float]
    covered: tuple[int, int]
    joint: tuple[int, int]
    members: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return asdict(self)


def box_of(
    first: Sequence[Point],
    second: Sequence[Point],
    objectives: Sequence[Objective],
    reference: Mapping[str, float] = {},
) -> Box:
    """The box of two fronts: from a tenth of their extent beyond their worst members to their best values.

    Args:
        first: members of the first front, at least one.
        second: members of the second front, at least one.
        objectives: the axes.
        reference: objective -> a value to take instead of that.

    Raises:
        UsageError: no member is better than a reference value.
    """
    worst, best = {}, {}
    for o in objectives:
        ordered = sorted((p.values[o.name] for p in (*first, *second)), key=o.goodness)
        extent = ordered[-1] - ordered[0]
        if extent == 0:  # all alike: any box will do
            extent = (o.high - o.low) * (1 if o.direction == "max" else -1)
        worst[o.name] = reference.get(o.name, ordered[0] - MARGIN * extent)
        best[o.name] = ordered[-1]
        if o.loss(worst[o.name], best[o.name]) <= 0:
            raise UsageError(
                f"the reference {o.name}={worst[o.name]:g} is not worse than the best member, {best[o.name]:g}",
                "a value that some member betters",
                "give a worse one, or leave it out",
            )
    return Box(worst, best)


def table(points: Sequence[Point], objectives: Sequence[Objective]) -> Array:
    """Values as (n_points, n_objectives), in the units of the objectives."""
    return np.array([[p.values[o.name] for o in objectives] for p in points]).reshape(len(points), len(objectives))


def two_fronts(
    first: Sequence[Point],
    second: Sequence[Point],
    objectives: Sequence[Objective],
    reference: Mapping[str, float] = {},
) -> TwoFronts:
    """Compare two fronts.

    Args:
        first: members of the first front, at least one.
        second: members of the second front, at least one.
        objectives: the axes.
        reference: as `box_of` takes it.
    """
    box = box_of(first, second, objectives, reference)
    tables = table(first, objectives), table(second, objectives)
    one, two = (box.hypervolume(values, objectives) for values in tables)
    both = box.hypervolume(np.vstack(tables), objectives)
    scaled = [box.scaled(values, objectives) for values in tables]
    joined = front([*first, *second], objectives)
    return TwoFronts(
        box,
        (one, two),
        (max(0.0, both - two), max(0.0, both - one)),
        (_epsilon(scaled[0], scaled[1]), _epsilon(scaled[1], scaled[0])),
        (_covered(first, second, objectives), _covered(second, first, objectives)),
        (sum(any(p is q for q in joined) for p in first), sum(any(p is q for q in joined) for p in second)),
        (len(first), len(second)),
    )


def _epsilon(of: Array, against: Array) -> float:
    """The additive epsilon indicator of a front, more is better."""
    return float(moocore.epsilon_additive(of, ref=against, maximise=True))


def _covered(points: Sequence[Point], by: Sequence[Point], objectives: Sequence[Objective]) -> int:
    """The points that some point of `by` dominates."""
    return sum(any(beats(q, p, objectives) for q in by) for p in points)
