"""Compares two searches: reads both, brings their fronts into one box, and resamples what is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuner.front import bootstrap
from tuner.front.attainment import Stretch, stretches
from tuner.front.bootstrap import Run
from tuner.front.choice import axis_of
from tuner.front.difference import Difference, differences
from tuner.front.pareto import Objective, Point, beats, front, measured
from tuner.front.two_fronts import Box, table, two_fronts
from tuner.recipe import objectives_of
from tuner.search.outcome.comparable import comparable
from tuner.search.outcome.diff_trials import alike, apart
from tuner.search.outcome.prices import Runs
from tuner.search.outcome.search_cost import SearchCost
from tuner.search.outcome.searches_diff import Reached, SearchesDiff
from tuner.search.record.front_view import FrontView, require_points
from tuner.search.record.home import SearchHome
from tuner.search.record.state import SearchState

DRAWS = 200
TIE = 1e-12


@dataclass(frozen=True)
class _Side:
    """One of the two searches."""

    home: SearchHome
    state: SearchState
    view: FrontView
    runs: Mapping[int, Sequence[Run]]

    @classmethod
    def read(cls, home: SearchHome, axes: Sequence[Objective]) -> "_Side":
        state = home.state()
        view = home.front(axes, state)
        require_points(view)
        members = [m.trial for m in view.members]
        runs = Runs.read(home, axes, state, members)
        return cls(home, state, view, {trial: runs.of(trial) for trial in members})

    def best(self, objective: Objective) -> int:
        return max(self.view.members, key=lambda p: (objective.goodness(p.values[objective.name]), -p.trial)).trial


def diff_searches(
    one: SearchHome,
    two: SearchHome,
    objectives: Sequence[str] | None = None,
    reference: Mapping[str, float] = {},
) -> SearchesDiff:
    """Compare two searches.

    Args:
        one: the first search.
        two: the second search.
        objectives: axes; None: those of the first search. The front of each is computed from its stored values.
        reference: objective -> the worst value that counts; else that of the first search's recipe, else that of the
            second's, else a tenth of the extent beyond the worst member.

    Raises:
        UsageError: an objective or a reference is unknown, or no member is better than a reference.
        TunerError: a search has no complete trial, or the store cannot be read.
    """
    axes = objectives_of(one.stored()[0], objectives)
    for name in reference:
        axis_of(name, axes)
    first, second = _Side.read(one, axes), _Side.read(two, axes)
    likeness = comparable((one, two), (first.state, second.state))
    if not likeness.same_images or not alike(_all(first.runs), _all(second.runs)):
        second = _Side(second.home, second.state, second.view, {t: apart(r) for t, r in second.runs.items()})
    fronts = two_fronts(first.view.members, second.view.members, axes, _references(one, two) | dict(reference))
    found = stretches(first.view.members, second.view.members, axes) if len(axes) == 2 else []
    bests = {}
    for axis in axes:
        pair = (first.best(axis), second.best(axis))
        (difference,) = differences(first.runs[pair[0]], second.runs[pair[1]], [axis.name])
        bests[axis.name] = (*pair, difference)
    names = (
        (one.name, two.name) if one.name != two.name else (f"{one.store.url}/{one.name}", f"{two.store.url}/{two.name}")
    )
    return SearchesDiff(
        names,
        axes,
        fronts,
        _larger(first, second, fronts.box, axes),
        DRAWS,
        bests,
        tuple(found),
        tuple(_gap(stretch, first, second, axes) for stretch in found),
        (SearchCost.of(first.state), SearchCost.of(second.state)),
        _reached(first.state, second.state, fronts.box, axes),
        likeness,
    )


def _references(one: SearchHome, two: SearchHome) -> dict[str, float]:
    """The reference values of both recipes; where they differ, the first one's."""
    return two.stored()[0].reference | one.stored()[0].reference


def _all(runs: Mapping[int, Sequence[Run]]) -> list[Run]:
    return [run for of_trial in runs.values() for run in of_trial]


def _gap(stretch: Stretch, first: _Side, second: _Side, axes: Sequence[Objective]) -> Difference | None:
    one, two = stretch.between
    if one is None or two is None:
        return None
    return differences(first.runs[one], second.runs[two], [axes[1].name])[0]


def _larger(first: _Side, second: _Side, box: Box, axes: Sequence[Objective]) -> float:
    """The share of resamplings of images and seeds in which the first hypervolume is larger; ties count half."""
    runs = {2 * trial: r for trial, r in first.runs.items()} | {2 * trial + 1: r for trial, r in second.runs.items()}
    drawn = bootstrap.resample(runs, [o.name for o in axes], draws=DRAWS)

    def values(parity: int) -> np.ndarray:
        """(DRAWS, n_members, n_objectives)."""
        members = [found for number, found in drawn.items() if number % 2 == parity]
        return np.stack([np.stack([found[o.name] for o in axes], axis=1) for found in members], axis=1)

    one, two = (np.array([box.hypervolume(draw, axes, beyond=True) for draw in values(parity)]) for parity in (0, 1))
    gains = one - two
    return float((gains > 0).mean() + (gains == 0).mean() / 2)


def _reached(
    one: SearchState, two: SearchState, box: Box, axes: Sequence[Objective]
) -> tuple[Reached | None, Reached | None]:
    paths = [_path(state, box, axes) for state in (one, two)]
    least = min(path[-1][0] for path in paths)
    first, second = (next((r for volume, r in path if volume >= least - TIE), None) for path in paths)
    return tuple(None if found is None else replace(found, hypervolume=least) for found in (first, second))  # type: ignore[return-value]


def _path(state: SearchState, box: Box, axes: Sequence[Objective]) -> list[tuple[float, Reached]]:
    """The hypervolume after each ended trial, of those that count for the front: see `tuner.front.pareto.front`."""
    members = front(state.points(axes), axes)
    counted = {p.trial: p for p in measured(state.points(axes), axes) if not p.violates or members[0].violates}
    path: list[tuple[float, Reached]] = []
    kept: list[Point] = []
    volume = 0.0
    for n, trial in enumerate(state.finished(), 1):
        point = counted.get(trial.number)
        if point is not None and not any(beats(other, point, axes) for other in kept):
            kept = [other for other in kept if not beats(point, other, axes)] + [point]
            volume = box.hypervolume(table(kept, axes), axes)
        path.append((volume, Reached(volume, n, trial.ended_s)))
    return path
