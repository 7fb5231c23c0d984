"""What a search has cost: trials, search time, the time its stages ran, CPU- and GPU-hours."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tuner.front import words
from tuner.search.record.stage_use import StageUse
from tuner.search.record.state import SearchState

HOUR_S = 3600.0


@dataclass(frozen=True)
class Spent:
    """The cost of a search so far.

    Attributes:
        trials: trials that have ended.
        confirmations: runs that repeated members.
        search_s: wall time of its drivers, seconds.
        ran_s: time that its stages ran, seconds; of what was reused nothing.
        cpu_hours: CPU cores times the time they were held; None: an earlier version did not say.
        gpu_hours: the same of GPUs.
    """

    trials: int
    confirmations: int
    search_s: float
    ran_s: float
    cpu_hours: float | None
    gpu_hours: float | None

    def text(self) -> str:
        """As words: "16 trials in 12 min, stages ran 41 min, 0.68 CPU-hours"."""
        again = f" and {self.confirmations} confirmation runs" if self.confirmations else ""
        told = [f"{self.trials} trials{again} in {words.duration(self.search_s)}"]
        told.append(f"stages ran {words.duration(self.ran_s)}")
        for hours, what in ((self.cpu_hours, "CPU"), (self.gpu_hours, "GPU")):
            told += [f"{hours:.2g} {what}-hours"] if hours else []
        return ", ".join(told)

    def to_json(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return asdict(self)


def spent(state: SearchState) -> Spent:
    """The cost of a search."""
    ran = [use for use in _uses(state) if not use.reused]
    confirmations = sum(len(trial.confirmations) for trial in state.trials.values())
    return Spent(
        sum(state.counts().values()),
        confirmations,
        state.elapsed_s,
        sum(use.took_s for use in ran),
        _hours([(use.took_s, use.cpus) for use in ran]),
        _hours([(use.took_s, use.gpus) for use in ran]),
    )


def _uses(state: SearchState) -> Iterator[StageUse]:
    for trial in state.trials.values():
        yield from trial.stages
        for confirmed in trial.confirmations.values():
            yield from confirmed.stages


def _hours(held: list[tuple[float, float | None]]) -> float | None:
    """Hours times number held; None if a number is unknown."""
    if any(number is None for _, number in held):
        return None
    return sum(seconds * (number or 0.0) for seconds, number in held) / HOUR_S
