"""How the hypervolume of a search grew: over its trials, its time and its cost."""

from collections.abc import Iterable
from dataclasses import dataclass

from tuner.front import hypervolume, pareto
from tuner.recipe import PricesConfig
from tuner.search.cost.spent import spent_by
from tuner.search.record.reference import reference_for
from tuner.search.record.restoration import SearchState


@dataclass(frozen=True)
class Growth:
    """The hypervolume when a trial had ended.

    Attributes:
        trial: its number.
        trials: complete trials so far.
        seconds: of search time.
        cpu_hours: that the stages of all trials ended so far have held, in CPU hours.
        gpu_hours: the same in GPU hours.
        money: the same in the currency of the prices.
        hypervolume: a share, 0 to 1.
    """

    trial: int
    trials: int
    seconds: float
    cpu_hours: float
    gpu_hours: float
    money: float
    hypervolume: float


def growth(state: SearchState, objectives: Iterable[pareto.Objective], prices: PricesConfig) -> list[Growth]:
    """A row for each complete trial, in the order in which they ended."""
    axes = list(objectives)
    points = {point.trial: point for point in state.points(axes)}
    volumes = iter(hypervolume.history(list(points.values()), axes, reference_for(state, axes)))
    rows, spent = list[Growth](), spent_by(())
    for trial in state.finished():
        spent += spent_by(trial.stages)
        if trial.number in points:
            costs = (spent.cpu_hours, spent.gpu_hours, spent.money(prices))
            rows.append(Growth(trial.number, len(rows) + 1, trial.ended_s, *costs, next(volumes)))
    return rows
