"""What a search is expected to take, before it starts and while it runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tuner.recipe import Recipe, StageResources, objectives_of
from tuner.search.cost.draws import draw_points
from tuner.search.cost.guess import FACTOR
from tuner.search.cost.makespan import Work, makespan
from tuner.search.cost.rows import as_it_ends, epoch_of, row_of, stopped_share, to_be_promoted
from tuner.search.cost.sizes import Machine, Sizes
from tuner.search.cost.spent import Spent, spent_in, uses_of
from tuner.search.cost.stage_times import FEW, Source, StageTimes, Timed, beside
from tuner.search.record.fields import N_SEEDS
from tuner.search.record.searched_banks import Bank
from tuner.search.record.stage_use import StageUse
from tuner.search.record.state import SearchState, TrialRecord

MOST_DRAWN = 200
"""Trials whose stages are drawn; of more, the rest is taken to be like the last quarter of these."""
START_S = 10.0
"""Ray and its first workers, on two cores."""
HALF = 0.5
"""A trial under way has presumably half of its stages behind it."""
MEMBERS = {1: 0.0, 2: 0.5}
MANY_MEMBERS = 0.92
"""The front of n trials has about n to this power members, by the number of objectives (docs/log.md)."""


@dataclass(frozen=True)
class Expected:
    """What a search is expected to take.

    Attributes:
        trials: in all; fewer than asked for where the space has no more points.
        runs: confirmation runs in all.
        stages: by stage: how often it is asked for, and how often it runs, in all that is left.
        spent: CPU and GPU time in all.
        left: CPU and GPU time from now on.
        left_s: wall time from now on, seconds.
        total_s: search time in all, seconds.
        source: where the times of stages come from.
        factor: the figures are presumably right within this factor.
    """

    trials: int
    runs: int
    stages: Mapping[str, tuple[int, int]]
    spent: Spent
    left: Spent
    left_s: float
    total_s: float
    source: Source
    factor: float


class Forecast:
    """Says at any time what a search is expected to take. Pure: it reads neither clock nor store.

    Args:
        recipe: of the search, precision settled, budget included.
        bank: its feature bank.
        sizes: of the data.
        machine: what stages run on.
        held: what a run of each stage holds, shares of GPUs settled.
        earlier: times of stages of other searches on the same data; none: a guess by size.
        known: keys of stages that the store has, which are reused.
    """

    def __init__(
        self,
        recipe: Recipe,
        bank: Bank,
        sizes: Sizes,
        machine: Machine,
        held: Mapping[str, StageResources],
        earlier: StageTimes | None = None,
        known: frozenset[str] = frozenset(),
    ) -> None:
        self._recipe, self._bank, self._sizes, self._machine, self._held = recipe, bank, sizes, machine, held
        self._earlier, self._known = earlier or StageTimes(), known
        self.points = draw_points(recipe, min(recipe.budget.trials, MOST_DRAWN))
        self._exhausted = len(self.points) < min(recipe.budget.trials, MOST_DRAWN)
        self._rows = [self._row(recipe.at(point), stops=True) for point in self.points]
        members = self.points[: recipe.confirm.most_members(self.trials)]
        self._again = [row for point in members for row in self._repeated(point)]
        self._cached: tuple[tuple[int, int, int], Expected] | None = None
        self._of_trials: dict[int, list[Work]] = {}
        counts = Counter(work.key for row in self._rows for work in {work.key: work for work in row}.values())
        self._shared = {key for key, n in counts.items() if n > 1}

    @property
    def trials(self) -> int:
        """Trials in all: as asked for, or as many as the space has points."""
        return len(self.points) if self._exhausted else self._recipe.budget.trials

    def keys(self) -> dict[str, list[str]]:
        """The keys of the stages ahead, by stage."""
        found: dict[str, list[str]] = {}
        for work in (work for row in [*self._rows, *self._again] for work in row):
            found.setdefault(work.stage, []).append(work.key)
        return found

    def expected(self, state: SearchState, elapsed_s: float | None = None) -> Expected:
        """What is expected now.

        Args:
            state: of the search.
            elapsed_s: search time now; None: that of the last event.
        """
        now_s = state.elapsed_s if elapsed_s is None else elapsed_s
        trials = list(state.trials.values())
        ended = [trial for trial in trials if trial.outcome]
        n_confirmed = sum(len(trial.confirmations) for trial in ended)
        if self._cached is None or self._cached[0] != (len(trials), len(ended), n_confirmed):
            self._cached = (len(trials), len(ended), n_confirmed), self._look_ahead(state)
        found = self._cached[1]
        left_s = found.left_s
        if ended and not n_confirmed:  # what is under way has gone on since
            left_s = max(0.0, left_s - max(0.0, now_s - max(trial.ended_s for trial in ended)))
        return replace(found, left_s=left_s, total_s=now_s + left_s)

    def _look_ahead(self, state: SearchState) -> Expected:
        """What is expected as of the last event; `total_s` is not set yet."""
        trials = list(state.trials.values())
        ended, uses = [trial for trial in trials if trial.outcome], list(uses_of(trials))
        times = self._times(ended).over(self._earlier)
        have = self._known | {use.key for use in uses}
        coming, n_runs = max(0, self.trials - len(trials)), self._runs(state)
        rows = [_timed(self._of(trial), times, HALF) for trial in trials if trial.outcome is None]
        rows += [_timed(self._of(trial), times) for trial in to_be_promoted(self._recipe, state)]
        share = stopped_share(self._recipe)
        for place, row in enumerate(self._coming(coming, len(trials))):
            rows.append(_timed(as_it_ends(row, place, share), times))
        left_runs = max(0, n_runs - sum(len(trial.confirmations) for trial in ended))
        again = [_timed(row, times) for row in self._again[:left_runs]]
        left_s = makespan(_without(rows, have), self._recipe.budget.parallel, self._machine)
        left_s += makespan(_without(again, have), max(1, len(again)), self._machine)
        left_s += START_S if left_s and not ended else 0.0
        distinct = {work.key: work for row in _without([*rows, *again], have) for work in row}
        left = sum((Spent(w.seconds * w.cpus, w.seconds * w.gpus) for w in distinct.values()), Spent())
        stages, spent = _counted([*rows, *again], distinct), spent_in(state) + left
        factor = self._factor(times)
        return Expected(len(trials) + coming, n_runs, stages, spent, left, left_s, 0.0, times.source, factor)

    def _times(self, ended: Sequence[TrialRecord]) -> StageTimes:
        """The times of this search's own stages, those of confirmations included."""
        runs = list[Timed]()
        for trial in ended:
            runs += _compared(trial.stages, self._of(trial))
            if trial.confirmations:  # they have no rung
                whole = self._row(self._at(trial))
                for run in list(trial.confirmations.values()):
                    runs += _compared(run.stages, whole)
        return StageTimes.of(runs, "search", beside(uses_of(ended)))

    def _factor(self, times: StageTimes) -> float:
        if times.source == "guess":
            return FACTOR
        return 2.0 if times.source == "store" or min(times.counts.values(), default=0) < FEW else 1.25

    def _of(self, trial: TrialRecord) -> list[Work]:
        if trial.number not in self._of_trials:
            self._of_trials[trial.number] = self._row(self._at(trial), epoch_of(self._recipe, trial))
        return self._of_trials[trial.number]

    def _at(self, trial: TrialRecord) -> Recipe:
        """The recipe of a trial."""
        return self._recipe.at({name: trial.params[name] for name in self._recipe.space if name in trial.params})

    def _row(self, recipe: Recipe, epoch: int | None = None, *, stops: bool = False) -> list[Work]:
        """The stages of a trial, with a rung at this epoch, or where the recipe has it."""
        found = recipe.stopping.rung_epoch(recipe.finetune.epochs) if stops else epoch
        return row_of(recipe, self._bank, self._sizes, self._held, found)

    def _repeated(self, point: Mapping[str, object]) -> list[list[Work]]:
        """The rows of the confirmation runs of a member; as `outcome.confirmation_plan.missing_runs`."""
        rows = []
        for split in range(self._recipe.confirm.splits):
            for seed in range(self._recipe.confirm.seeds):
                again = self._recipe.at(point)
                again.seed = (again.seed + seed) % N_SEEDS
                again.data.split_seed = (again.data.split_seed + split) % N_SEEDS
                rows += [self._row(again)] if seed or split else []
        return rows

    def _coming(self, n: int, past: int) -> list[list[Work]]:
        """Rows of the next trials, such as they may be proposed."""
        rows = self._rows[past : past + n] if past < len(self._rows) else []
        if not self._rows or len(rows) == n:
            return rows
        alike = self._rows[-max(1, len(self._rows) // 4) :]
        extra = n - len(rows)
        return rows + [self._renamed(alike[i % len(alike)], i) for i in range(extra)]

    def _renamed(self, row: Sequence[Work], i: int) -> list[Work]:
        """A row like another one, with stages of its own where that one had such."""
        return [work if work.key in self._shared else work._replace(key=f"{work.key}+{i}") for work in row]

    def _runs(self, state: SearchState) -> int:
        """Confirmation runs in all: of as many members as the front will have, within the share."""
        confirm = self._recipe.confirm
        most = confirm.most_members(self.trials)
        if not most:
            return 0
        objectives = objectives_of(self._recipe)
        power = MEMBERS.get(len(objectives), MANY_MEMBERS)
        n_complete, members = len(state.points(objectives)), len(state.members(objectives))
        likely = float(members * (self.trials / n_complete) ** power if n_complete >= FEW else self.trials**power)
        return min(most, max(1, round(likely))) * confirm.runs


def _compared(uses: Sequence[StageUse], row: Sequence[Work]) -> list[Timed]:
    """How long stages took beside how long they were guessed to take."""
    guesses = {work.stage: work.seconds for work in row}
    return [Timed(use.stage, guesses[use.stage], use.took_s) for use in uses if use.stage in guesses]


def _timed(row: Sequence[Work], times: StageTimes, share: float = 1.0) -> list[Work]:
    return [work._replace(seconds=share * (times.seconds(work.stage, work.seconds) + times.beside_s)) for work in row]


def _without(rows: Sequence[Sequence[Work]], have: frozenset[str] | set[str]) -> list[list[Work]]:
    return [[work for work in row if work.key not in have] for row in rows]


def _counted(rows: Sequence[Sequence[Work]], distinct: Mapping[str, Work]) -> dict[str, tuple[int, int]]:
    asked: dict[str, int] = {}
    runs: dict[str, int] = {}
    for row in rows:
        for work in row:
            asked[work.stage] = asked.get(work.stage, 0) + 1
    for work in distinct.values():
        runs[work.stage] = runs.get(work.stage, 0) + 1
    return {stage: (n, runs.get(stage, 0)) for stage, n in asked.items()}
