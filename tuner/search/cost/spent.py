"""What stages have spent: the CPU and GPU time that they held while they ran, as the ledger has it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tuner.recipe import PricesConfig
from tuner.search.record.stage_use import StageUse
from tuner.search.record.state import SearchState, TrialRecord

HOUR_S = 3600.0


@dataclass(frozen=True)
class Spent:
    """Resources held over time.

    Attributes:
        cpu_s: CPU cores times seconds.
        gpu_s: GPUs times seconds.
    """

    cpu_s: float = 0.0
    gpu_s: float = 0.0

    @property
    def cpu_hours(self) -> float:
        """CPU cores times hours."""
        return self.cpu_s / HOUR_S

    @property
    def gpu_hours(self) -> float:
        """GPUs times hours."""
        return self.gpu_s / HOUR_S

    def money(self, prices: PricesConfig) -> float:
        """What it costs, in the currency of the prices."""
        return self.cpu_hours * prices.cpu_hour + self.gpu_hours * prices.gpu_hour

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.cpu_s + other.cpu_s, self.gpu_s + other.gpu_s)

    def __mul__(self, times: float) -> "Spent":
        return Spent(self.cpu_s * times, self.gpu_s * times)


def spent_by(uses: Iterable[StageUse]) -> Spent:
    """What these stages have spent; a reused stage has spent nothing.

    A stage of an earlier version, which did not say what it held, counts as one CPU core for the time that it was
    waited for.
    """
    ran = [use for use in uses if not use.reused]
    cpu_s = sum(use.took_s * (1.0 if use.cpus is None else use.cpus) for use in ran)
    return Spent(cpu_s, sum(use.took_s * (use.gpus or 0.0) for use in ran))


def spent_in(state: SearchState) -> Spent:
    """What all ended trials and confirmation runs of a search have spent, over all its drivers.

    Left out are the extraction of features, measurements on the test split, comparisons, and stages that were
    interrupted or whose trial is still open.
    """
    return spent_by(uses_of(list(state.trials.values())))


def uses_of(trials: Iterable[TrialRecord]) -> Iterator[StageUse]:
    """The stages that trials and their confirmation runs have requested."""
    for trial in trials:
        yield from trial.stages
        for run in list(trial.confirmations.values()):
            yield from run.stages
