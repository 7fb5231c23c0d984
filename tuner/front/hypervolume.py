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
from tuner.front.bootstrap import Drawn
from tuner.front.pareto import Objective, Point, measured
from tuner.front.uncertainty import plus_minus

FIRST_TRIALS = 10
"""Complete trials that the reference is taken from; the sampler draws as many before it learns."""
MARGIN = 0.1
"""How far beyond the worst value the reference lies, as a share of the spread: else the ends of a front add nothing."""
LEAST_MARGIN = 0.01
"""The same as a share of the natural range, for trials that are all alike."""
MOVES = 0.01
"""Growth, as a share of the hypervolume, above which a front still moves."""
STILL = 20
"""Trials that must have added no more than that before a front is said to stand still: in replayed searches the next
ten trials after ten such trials added more in 31 to 44 of 100 cases (docs/explanation/method.md#hypervolume)."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """A reference point: the worst value of each objective that still counts.

    Args:
        values: by objective, in its unit.
        n_trials: trials that it was taken from; 0: it was given.
        moves: whether it is to be taken from more trials, as the first ones complete.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    n_trials: int = 0
    moves: bool = False


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


def standard_error(drawn: Sequence[Drawn], objectives: Sequence[Objective], reference: Reference) -> float:
    """The standard deviation of the hypervolume over resamplings of its members, as a share of the box.

    Args:
        drawn: of each member, (draws,) values of every objective (`tuner.front.bootstrap.resample`); at least one.
        objectives: the axes.
        reference: the reference point.
    """
    values = np.stack([[member[o.name] for o in objectives] for member in drawn], axis=0)  # (members, axes, draws)
    volumes = [_volume(_scaled_values(draw, objectives, reference)) for draw in np.moveaxis(values, 2, 0)]
    return float(np.std(volumes))


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


def moving(volumes: Sequence[float], n_last: int = FIRST_TRIALS, n_still: int = STILL) -> str:
    """Whether a front still moves, in a sentence: "... still moves: the last 10 trials added 6.3 % of the hypervolume".

    Args:
        volumes: the hypervolume after each trial, by number.
        n_last: trials that say that it moves.
        n_still: trials that it takes to say that it does not.

    Returns:
        Empty where there are not twice as many trials as `n_last`: the first ones always add.
    """
    if len(volumes) < 2 * n_last or volumes[-1] <= 0.0:
        return ""
    if _added(volumes, n_last) > MOVES:
        return f"the front still moves: the last {n_last} trials added {_share(volumes, n_last)} of the hypervolume"
    if len(volumes) >= n_still + n_last and _added(volumes, n_still) <= MOVES:
        told = f"the last {n_still} trials added {_share(volumes, n_still)} of the hypervolume"
        return f"the front hardly moves any more: {told}"
    told = f"the last {n_last} trials added {_share(volumes, n_last)} of the hypervolume"
    return f"{told}; it takes {n_still} trials to say that the front hardly moves any more"


def _added(volumes: Sequence[float], n_last: int) -> float:
    """What the last trials have added, as a share of the hypervolume."""
    return 1.0 - volumes[-1 - n_last] / volumes[-1]


def _share(volumes: Sequence[float], n_last: int) -> str:
    added = _added(volumes, n_last)
    return f"{100 * added:.1f} %" if added > 0 else "nothing"


def told(volume: float, reference: Reference, error: float | None = None) -> str:
    """A hypervolume as text: "hypervolume 19.4 ± 1.2 %"; preliminary as long as its reference moves.

    Args:
        volume: a share of the box.
        reference: the reference point.
        error: one standard error, also a share; None: unknown.
    """
    noise = "" if error is None else f" ± {plus_minus(100 * error)}"
    return f"hypervolume {100 * volume:.1f}{noise} %{' (preliminary)' if reference.moves else ''}"


def scale(objectives: Sequence[Objective], reference: Reference) -> str:
    """What 0 and 100 % of the hypervolume are: "0 % is accuracy 71.2 and n_features 63, 100 % accuracy 100 and ..."."""
    if any(o.name not in reference.values for o in objectives):
        return ""
    worst = words.listing([f"{words.name(o.name)} {words.value(reference.values[o.name], o.unit)}" for o in objectives])
    best = words.listing([f"{words.name(o.name)} {words.value(o.ideal, o.unit)}" for o in objectives])
    return f"0 % is {worst}{_whence(reference)}; 100 % is {best}, all at once"


def _whence(reference: Reference) -> str:
    """Where a reference comes from."""
    n = reference.n_trials
    if not n:
        return ", as the recipe says"
    first = "the first complete trial" if n == 1 else f"the first {n} complete trials"
    more = f" (it moves until there are {FIRST_TRIALS})" if reference.moves else ""
    return f", just beyond the worst of {first}{more}"


def _counted(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """The points that have all objectives and violate no constraint."""
    return measured([point for point in points if not point.violates], objectives)


def _worse(point: Point, objectives: Sequence[Objective]) -> Point:
    """The point, one standard error worse in each objective whose error is known."""
    signs = {o.name: -1.0 if o.direction == "max" else 1.0 for o in objectives}
    shifted = {name: point.values[name] + sign * (point.error(name) or 0.0) for name, sign in signs.items()}
    return Point(point.trial, point.params, {**point.values, **shifted})


def _scaled(points: Sequence[Point], objectives: Sequence[Objective], reference: Reference) -> Array:
    """(n_points, n_objectives) in [0, 1], as `_scaled_values`."""
    values = [[point.values[o.name] for o in objectives] for point in points]
    return _scaled_values(np.array(values, np.float64).reshape(len(points), len(objectives)), objectives, reference)


def _scaled_values(values: Array, objectives: Sequence[Objective], reference: Reference) -> Array:
    """Values (n_points, n_objectives) brought to [0, 1]: 0 at the reference or beyond it, 1 at the best value."""
    columns = []
    for column, objective in zip(values.T, objectives, strict=True):
        worst = reference.values.get(objective.name, np.nan)
        length = objective.loss(worst, objective.ideal)
        columns.append((column - worst) / (objective.ideal - worst) if length > 0 else np.zeros(len(column)))
    return np.clip(np.column_stack(columns) if columns else np.empty((len(values), 0)), 0.0, 1.0)


def _volume(goodness: Array) -> float:
    return min(1.0, float(moocore.hypervolume(goodness, ref=0.0, maximise=True))) if len(goodness) else 0.0
