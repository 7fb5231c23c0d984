"""The state of a search, derived from the events of its ledger."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tuner.front import pareto
from tuner.front.pareto import Objective, Point
from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.events import OUTCOMES, Baseline, Confirmed, Picked, StageUse


@dataclass
class TrialRecord:
    """One trial: its proposal and its outcome.

    Attributes:
        number: position in the search, from 0.
        params: the trial's parameters as named in the recipe.
        known: at the rung it is compared with the trials before this number; None: early stopping was off.
        outcome: one of `OUTCOMES`, or None while it is open.
        stage: the stage it ended in, where it did not complete.
        cause: one line, where it did not complete.
        values: every metric measured on the validation split; none if it was pruned.
        rung: the metrics measured at the rung of early stopping; none if it had no rung.
        rung_epochs: the epoch of the rung, and the epochs of fine-tuning in all.
        test: every metric measured on the test split (front members only).
        confirmations: its repetitions with other seeds and splits, by seed and split seed (front members only).
        stages: the stages it requested.
        remade: artifacts that were found damaged and recreated, one line each.
        model: key of the fine-tuned model's artifact.
        program: how its program ended; None if it never ran, or the ledger is of an earlier version.
        seconds: wall time of the trial.
        ended_s: seconds of search time at which it ended, pauses between drivers not counted.
        ended_at: when it ended, unix seconds.
    """

    number: int
    params: dict[str, Any]
    outcome: str | None = None
    stage: str | None = None
    cause: str | None = None
    values: dict[str, float] = field(default_factory=dict)
    rung: dict[str, float] = field(default_factory=dict)
    rung_epochs: tuple[int, int] | None = None
    known: int | None = None
    test: dict[str, float] = field(default_factory=dict)
    confirmations: dict[tuple[int, int], Confirmed] = field(default_factory=dict)
    stages: tuple[StageUse, ...] = ()
    remade: list[str] = field(default_factory=list)
    model: str | None = None
    program: ProgramInfo | None = None
    seconds: float = 0.0
    ended_s: float = 0.0
    ended_at: float = 0.0

    def stage_key(self, stage: str) -> str | None:
        """Key of the artifact of one of its stages, or None if the stage did not complete."""
        return next((use.key for use in self.stages if use.stage == stage), None)


class Budget(NamedTuple):
    """The request of a run, on which its proposals depend: total of trials, and parallelism."""

    trials: int | None = None
    parallel: int | None = None


@dataclass(frozen=True)
class Damage:
    """An entry of the ledger that is ignored, or counts only in part.

    Attributes:
        key: of the entry.
        reason: what is wrong with it.
        then: what happens instead.
        settled: the entry is valid, was ignored because another one is missing, and its work has been redone.
    """

    key: str
    reason: str
    then: str
    settled: bool = False


@dataclass
class SearchState:
    """The state of a search.

    Attributes:
        trials: by number; a number is missing where its proposal is damaged, until it is proposed again.
        baselines: the last of each key, or of each name where an earlier version kept no key.
        picks: all choices, oldest first.
        budget: total of trials that the last run was asked for, if known.
        stopping: the settings of early stopping of the last run, as in its recipe; none if it had none.
        elapsed_s: search time.
        damage: ignored entries.
        lost: trials whose proposals are damaged, and the request of the run that proposed them.
    """

    trials: dict[int, TrialRecord] = field(default_factory=dict)
    baselines: list[Baseline] = field(default_factory=list)
    picks: list[Picked] = field(default_factory=list)
    budget: int | None = None
    stopping: dict[str, Any] = field(default_factory=dict)
    elapsed_s: float = 0.0
    damage: list[Damage] = field(default_factory=list)
    lost: dict[int, Budget] = field(default_factory=dict)

    @property
    def pick(self) -> Picked | None:
        """The last choice of a trial that has a model."""
        return next((pick for pick in reversed(self.picks) if self.is_complete(pick.trial)), None)

    def is_complete(self, number: int) -> bool:
        """Whether a trial has a model."""
        return number in self.trials and self.trials[number].outcome == "complete"

    def missing(self, trials: int) -> list[int]:
        """The trials still to be proposed among the first ones: new ones, and those whose proposal is damaged."""
        return [number for number in range(trials) if number not in self.trials]

    def finished(self) -> list[TrialRecord]:
        """Trials with an outcome, in the order in which they ended."""
        return sorted((t for t in self._all() if t.outcome), key=lambda t: (t.ended_s, t.number))

    def open(self) -> list[TrialRecord]:
        """Trials proposed but not ended, by number."""
        return sorted((t for t in self._all() if t.outcome is None), key=lambda t: t.number)

    def counts(self) -> dict[str, int]:
        """Number of trials with each outcome; outcomes that did not occur are absent."""
        counted = Counter(t.outcome for t in self._all() if t.outcome)
        return {outcome: counted[outcome] for outcome in OUTCOMES if counted[outcome]}

    def points(self, objectives: Iterable[Objective]) -> list[Point]:
        """The complete trials as points, in the order in which they ended."""
        names = [objective.name for objective in objectives]
        return [
            Point(t.number, t.params, {**{n: t.params[n] for n in names if n in t.params}, **t.values}, t.model)
            for t in self.finished()
            if t.outcome == "complete"
        ]

    def members(self, objectives: Sequence[Objective]) -> list[Point]:
        """The front: the complete trials that are non-dominated by the search's own values."""
        return pareto.front(self.points(objectives), objectives)

    def reuse(self) -> dict[str, dict[str, float]]:
        """For each stage: runs, reuses, seconds spent and seconds saved."""
        table: dict[str, dict[str, float]] = {}
        for use in (use for t in self._all() for use in t.stages):
            row = table.setdefault(use.stage, {"runs": 0, "reused": 0, "seconds": 0.0, "saved_s": 0.0})
            row["reused" if use.reused else "runs"] += 1
            row["saved_s" if use.reused else "seconds"] += use.saved_s if use.reused else use.seconds
        return table

    def _all(self) -> list[TrialRecord]:
        """A snapshot of the trials: the display reads them in its own thread while new ones are proposed."""
        return list(self.trials.values())
