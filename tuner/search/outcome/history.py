"""How the hypervolume of a search grew."""

from collections.abc import Iterable

from tuner.front import pareto
from tuner.search.record.restoration import SearchState


def hypervolume_history(state: SearchState, objectives: Iterable[pareto.Objective]) -> list[tuple[float, float]]:
    """(seconds of search time, hypervolume) after each complete trial."""
    axes = list(objectives)
    points = state.points(axes)
    times = [state.trials[point.trial].ended_s for point in points]
    return list(zip(times, pareto.history(points, axes), strict=True))
