"""What a search has cost, to be set beside another one: trials, search time, and what its stages held."""

from dataclasses import asdict, dataclass

from tuner.front import words
from tuner.search.cost.spent import spent_in, uses_of
from tuner.search.record.state import SearchState


@dataclass(frozen=True)
class SearchCost:
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

    @classmethod
    def of(cls, state: SearchState) -> "SearchCost":
        """The cost of a search in this state."""
        trials = list(state.trials.values())
        ran, held = [use for use in uses_of(trials) if not use.reused], spent_in(state)
        is_told = all(use.cpus is not None and use.gpus is not None for use in ran)
        return cls(
            sum(state.counts().values()),
            sum(len(trial.confirmations) for trial in trials),
            state.elapsed_s,
            sum(use.took_s for use in ran),
            held.cpu_hours if is_told else None,
            held.gpu_hours if is_told else None,
        )

    def text(self) -> str:
        """As words: "16 trials in 12 min, stages ran 41 min, 0.68 CPU-hours"."""
        again = f" and {words.counted(self.confirmations, 'confirmation run')}" if self.confirmations else ""
        told = [f"{words.counted(self.trials, 'trial')}{again} in {words.duration(self.search_s)}"]
        told.append(f"stages ran {words.duration(self.ran_s)}")
        for hours, what in ((self.cpu_hours, "CPU"), (self.gpu_hours, "GPU")):
            told += [f"{hours:.2g} {what}-hours"] if hours else []
        return ", ".join(told)

    def to_json(self) -> dict[str, object]:
        """As JSON documents hold it."""
        return asdict(self)
