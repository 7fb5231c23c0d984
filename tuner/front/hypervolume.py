"""The hypervolume of a front above a reference point of its own: how far a search has come.

0 is the reference: values that nobody would take. 1 is the best value of every objective at once
(docs/explanation/method.md#hypervolume). moocore computes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import moocore
import numpy as np
import numpy.typing as npt

from tuner.front import words
from tuner.front.pareto import Objective, Point, measured

FIRST_TRIALS = 10
"""Complete trials that the reference is taken from; the sampler draws as many before it learns."""
MARGIN = 0.1
"""How far beyond the worst value the reference lies, as a share of the spread: else the ends of a front add nothing."""
LEAST_MARGIN = 0.01
"""The same as a share of the natural range, for trials that are all alike."""
MOVES = 0.01
"""Growth, as a share of the hypervolume, above which a front still moves."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """A reference point: the worst value of each objective that still counts.

    Args:
        values: by objective, in its unit.
        n_trials: trials that it was taken from; 0: it was given.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    n_trials: int = 0


def natural(objectives: Sequence[Objective]) -> Reference:
    """The worst corner of the natural ranges."""
    return Reference({o.name: o.low if o.direction == "max" else o.high for o in objectives})


def reference_of(points: Sequence[Point], objectives: Sequence[Objective], given: Mapping[str, float]) -> Reference:
    """The reference point of a search.

    Where none is given it lies a tenth of the spread beyond the worst value of the first trials: as the nadir point of
    Ishibuchi et al. 2018 ("How to specify a reference point in hypervolume calculation"), but of all first trials, not
    of their front alone, which varies more than twice as much from one search to the next (docs/log.md).

    Args:
        points: the first trials.
        objectives: the axes.
        given: values that are fixed, by objective.

    Returns:
        A value for each objective; none for those that are neither given nor measured.
    """
    known = measured(points, objectives)
    values = {o.name: float(given[o.name]) for o in objectives if o.name in given}
    for objective in objectives:
        if objective.name in values or not known:
            continue
        column = [point.values[objective.name] for point in known]
        lowest, highest = min(column), max(column)
        beyond = max(MARGIN * (highest - lowest), LEAST_MARGIN * (objective.high - objective.low))
        values[objective.name] = lowest - beyond if objective.direction == "max" else highest + beyond
    return Reference(values, 0 if set(given) >= {o.name for o in objectives} else len(known))


def hypervolume(points: Sequence[Point], objectives: Sequence[Objective], reference: Reference) -> float:
    """The share of the box between the reference and the best values that the points dominate.

    Zitzler and Thiele 1999, of objectives scaled to [0, 1]; values beyond the box are clipped. Points that violate a
    constraint do not count.

    Returns:
        A number in [0, 1]; 0 where no point has all objectives.
    """
    return _volume(_scaled(_counted(points, objectives), objectives, reference))


def history(points: Sequence[Point], objectives: Sequence[Objective], reference: Reference) -> list[float]:
    """The hypervolume after each point, in the order given; it never falls.

    A point that lacks an objective, or violates a constraint, repeats the last value.
    """
    volumes: list[float] = []
    archive, last = np.empty((0, len(objectives))), 0.0
    for point in points:
        new = _scaled(_counted([point], objectives), objectives, reference)
        if len(new) and not (archive >= new).all(axis=1).any():
            archive = np.vstack([archive[~(new >= archive).all(axis=1)], new])
            last = max(last, _volume(archive))
        volumes.append(last)
    return volumes


def sure_growth(points: Sequence[Point], objectives: Sequence[Objective], reference: Reference) -> list[float]:
    """What each point adds to the hypervolume of those before it even if it is one standard error worse than measured.

    In order; 0 for a point that lacks an objective. Values whose error is unknown count as they are.
    """
    growth = Growth(objectives, reference)
    return [growth.add(point) for point in points]


class Growth:
    """The hypervolume as points come, one at a time: the cost of one is that of the front, however many came before.

    Args:
        objectives: the axes.
        reference: the reference point.
    """

    def __init__(self, objectives: Sequence[Objective], reference: Reference) -> None:
        self._objectives, self._reference = objectives, reference
        self._archive = np.empty((0, len(objectives)))
        self.volume = 0.0  # of the points so far, as `hypervolume`

    def add(self, point: Point) -> float:
        """Take a point in; returns what it surely adds (`sure_growth`)."""
        new = _scaled(_counted([point], self._objectives), self._objectives, self._reference)
        if not len(new):
            return 0.0
        careful = _scaled([_worse(point, self._objectives)], self._objectives, self._reference)
        gained = max(0.0, _volume(np.vstack([self._archive, careful])) - self.volume)
        if not (self._archive >= new).all(axis=1).any():
            self._archive = np.vstack([self._archive[~(new >= self._archive).all(axis=1)], new])
            self.volume = max(self.volume, _volume(self._archive))
        return gained


def moving(volumes: Sequence[float], n_last: int = FIRST_TRIALS) -> str:
    """Whether a front still moves, in a sentence: "the last 10 trials added 0.3 % to the hypervolume".

    Args:
        volumes: the hypervolume after each trial, by number.
        n_last: how many trials the sentence is about.

    Returns:
        Empty where there are not twice as many trials: the first ones always add.
    """
    if len(volumes) < 2 * n_last or volumes[-1] <= 0.0:
        return ""
    share = 1.0 - volumes[-1 - n_last] / volumes[-1]
    added = f"the last {n_last} trials added {f'{100 * share:.1f} %' if share > 0 else 'nothing'} to the hypervolume"
    return f"the front {'still moves' if share > MOVES else 'hardly moves any more'}: {added}"


def scale(objectives: Sequence[Objective], reference: Reference) -> str:
    """What 0 and 100 % of the hypervolume are: "0 % is accuracy 71.2 and n_features 63, 100 % accuracy 100 and ..."."""
    if any(o.name not in reference.values for o in objectives):
        return ""
    worst = words.listing([f"{words.name(o.name)} {words.value(reference.values[o.name], o.unit)}" for o in objectives])
    best = words.listing([f"{words.name(o.name)} {words.value(o.ideal, o.unit)}" for o in objectives])
    return f"0 % is {worst}; 100 % is {best}, all at once"


def _counted(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """The points that have all objectives and violate no constraint."""
    return measured([point for point in points if not point.violates], objectives)


def _worse(point: Point, objectives: Sequence[Objective]) -> Point:
    """The point, one standard error worse in each objective whose error is known."""
    signs = {o.name: -1.0 if o.direction == "max" else 1.0 for o in objectives}
    shifted = {name: point.values[name] + sign * (point.error(name) or 0.0) for name, sign in signs.items()}
    return Point(point.trial, point.params, {**point.values, **shifted})


def _scaled(points: Sequence[Point], objectives: Sequence[Objective], reference: Reference) -> Array:
    """(n_points, n_objectives) in [0, 1]: 0 at the reference or beyond it, 1 at the best value."""
    columns = []
    for objective in objectives:
        worst = reference.values.get(objective.name, np.nan)
        values = np.array([point.values[objective.name] for point in points], dtype=np.float64)
        length = objective.loss(worst, objective.ideal)
        columns.append((values - worst) / (objective.ideal - worst) if length > 0 else np.zeros(len(points)))
    return np.clip(np.column_stack(columns) if columns else np.empty((len(points), 0)), 0.0, 1.0)


def _volume(goodness: Array) -> float:
    return min(1.0, float(moocore.hypervolume(goodness, ref=0.0, maximise=True))) if len(goodness) else 0.0
