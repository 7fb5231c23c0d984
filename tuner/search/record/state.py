"""The state of a search, derived from the events of its ledger."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuner.front import pareto
from tuner.front.constraint import Constraint
from tuner.front.pareto import Objective, Point
from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.events import OUTCOMES, Baseline, Confirmed, Instructed, Learned, Picked, Referenced
from tuner.search.record.stage_use import StageUse


@dataclass
class TrialRecord:
    """One trial: its proposal and its outcome.

    Attributes:
        number: position in the search, from 0.
        params: the trial's parameters as named in the recipe.
        outcome: one of `OUTCOMES`, or None while it is open.
        stage: the stage it ended in, where it did not complete.
        cause: one line, where it did not complete.
        values: every metric measured on the validation split; none if it was pruned.
        rung: the metrics measured at the rung of early stopping; none if it had no rung.
        rung_epochs: the epoch of the rung, and the epochs of fine-tuning in all.
        known: at the rung it is compared with the trials before this number; None: early stopping was off.
        reopened: it was pruned, and opened again, promoted or by other settings of early stopping.
        paused: if it went on: seconds of search time at which it had paused, and how many stages it had by then.
        promoted: the turn at which it was promoted; a proposal counts its end if it is the lag later. None: it was not.
        test: every metric measured on the test split (front members only).
        confirmations: its repetitions with other seeds and splits, by seed and split seed (front members only).
        stages: the stages it requested.
        remade: artifacts that were found damaged and recreated, one line each.
        model: key of the fine-tuned model's artifact.
        program: how its program ended; None if it never ran, or the ledger is of an earlier version.
        seconds: wall time of the trial.
        ended_s: seconds of search time at which it ended, pauses between drivers not counted.
        ended_at: when it ended, unix seconds.
        proposed_at: when it was given its parameters, unix seconds.
        instruction: number of the instruction by which a person added it; None: the sampler proposed it.
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
    reopened: bool = False
    paused: tuple[float, int] | None = None
    promoted: int | None = None
    test: dict[str, float] = field(default_factory=dict)
    confirmations: dict[tuple[int, int], Confirmed] = field(default_factory=dict)
    stages: tuple[StageUse, ...] = ()
    remade: list[str] = field(default_factory=list)
    model: str | None = None
    program: ProgramInfo | None = None
    seconds: float = 0.0
    ended_s: float = 0.0
    ended_at: float = 0.0
    proposed_at: float = 0.0
    instruction: int | None = None

    def stage_key(self, stage: str) -> str | None:
        """Key of the artifact of one of its stages, or None if the stage did not complete."""
        return next((use.key for use in self.stages if use.stage == stage), None)


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
        reference: the reference point of the hypervolume, once it is settled.
        budget: total of trials in force, if known: what the last run was asked for, or a later instruction.
        asked: totals of trials that runs were asked for, each once; the last run's is last.
        instructed: instructions that drivers have carried out or refused, by number of their entry.
        raised: total of trials by an instruction; None: that of the recipe counts.
        paused: the instruction by which no trial begins now; None: the search is not paused.
        stopping: the settings of early stopping of the last run, as in its recipe; none if it had none.
        elapsed_s: search time.
        damage: ignored entries.
        lost: trials whose proposals are damaged.
        learned: trials of other searches that proposals learn from, by the name of the search and their number there.
        lessons: how many of each there are to be; more than in `learned` where a driver was killed in between.
        constraints: what a member of the front has to satisfy, from the recipe.
    """

    trials: dict[int, TrialRecord] = field(default_factory=dict)
    baselines: list[Baseline] = field(default_factory=list)
    picks: list[Picked] = field(default_factory=list)
    reference: Referenced | None = None
    budget: int | None = None
    asked: list[int] = field(default_factory=list)
    instructed: dict[int, Instructed] = field(default_factory=dict)
    raised: int | None = None
    paused: Instructed | None = None
    stopping: dict[str, Any] = field(default_factory=dict)
    elapsed_s: float = 0.0
    damage: list[Damage] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    learned: dict[tuple[str, int], TrialRecord] = field(default_factory=dict)
    lessons: dict[str, int] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()

    @property
    def pick(self) -> Picked | None:
        """The last choice of a trial that has a model."""
        return next((pick for pick in reversed(self.picks) if self.is_complete(pick.trial)), None)

    def learn(self, event: Learned) -> None:
        """Take in trials of another search; those known already stay as they were."""
        self.lessons[event.search] = event.total
        for trial in event.trials:
            record = TrialRecord(trial.trial, dict(trial.params), trial.outcome, trial.stage, values=dict(trial.values))
            self.learned.setdefault((event.search, trial.trial), record)

    def is_complete(self, number: int) -> bool:
        """Whether a trial has a model."""
        return number in self.trials and self.trials[number].outcome == "complete"

    def in_force(self, asked: int) -> int:
        """The total of trials of a run that is asked for this many.

        An instruction counts until a run is asked for a number that no run before was asked for: to run the same
        command again must not undo what a person has instructed meanwhile.
        """
        return asked if self.raised is None or asked not in self.asked else self.raised

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
        return [self.point(t, names) for t in self.finished() if t.outcome == "complete"]

    def point(self, trial: TrialRecord, names: Iterable[str]) -> Point:
        """A complete trial as a point; these of its parameters are among its values."""
        return Point(
            trial.number,
            trial.params,
            {**{n: trial.params[n] for n in names if n in trial.params}, **trial.values},
            trial.model,
            violates=tuple(str(c) for c in self.constraints if c.violation({**trial.params, **trial.values}) > 0),
        )

    def members(self, objectives: Sequence[Objective]) -> list[Point]:
        """The front: the complete trials that are non-dominated by the search's own values."""
        return pareto.front(self.points(objectives), objectives)

    def reuse(self) -> dict[str, dict[str, float]]:
        """For each stage: runs, reuses, seconds that it ran (not waited) and seconds saved."""
        table: dict[str, dict[str, float]] = {}
        for use in (use for t in self._all() for use in t.stages):
            row = table.setdefault(use.stage, {"runs": 0, "reused": 0, "seconds": 0.0, "saved_s": 0.0})
            row["reused" if use.reused else "runs"] += 1
            row["saved_s" if use.reused else "seconds"] += use.took_s
        return table

    def _all(self) -> list[TrialRecord]:
        """A snapshot of the trials: the display reads them in its own thread while new ones are proposed."""
        return list(self.trials.values())
