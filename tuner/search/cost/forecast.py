"""What a search is expected to take, before it starts and while it runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tuner.front.order import by_promise
from tuner.recipe import Recipe, StageResources, objectives_of
from tuner.search.cost.ahead import Ahead
from tuner.search.cost.guess import FACTOR
from tuner.search.cost.makespan import Work, makespan
from tuner.search.cost.rows import as_it_ends, stopped_share, to_be_promoted
from tuner.search.cost.sizes import Machine, Sizes
from tuner.search.cost.spent import Spent, spent_in, uses_of
from tuner.search.cost.stage_times import FEW, Source, StageTimes, Timed, beside, found_share
from tuner.search.record.searched_banks import Bank
from tuner.search.record.stage_use import StageUse
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stages import measuring_stage

START_S = 10.0
"""Ray and its first workers, on two cores."""
HALF = 0.5
"""A trial under way has presumably half of its stages behind it."""
FEW_SHARE = 0.2
"""Of the time that is left, so much may be of stages that have been timed once or twice."""
TEST = 2.0
"""Measuring a member on test takes so many times as long as on validation, which has fewer images (docs/log.md)."""
MEMBERS = {1: 0.0, 2: 0.5}
MANY_MEMBERS = 0.92
"""The front of n trials has about n to this power members, by the number of objectives (docs/log.md)."""


@dataclass(frozen=True)
class Expected:
    """What a search is expected to take.

    Attributes:
        trials: in all; fewer than asked for where the space has no more points, or a limit of the budget ends it.
        runs: confirmation runs in all.
        stages: by stage: how often it is asked for, and how often it runs, in all that is left.
        spent: CPU and GPU time in all.
        left: CPU and GPU time from now on.
        left_s: wall time from now on, seconds.
        total_s: search time in all, seconds.
        source: where the times of stages come from.
        factor: the figures are presumably right within this factor.
        limit: the limit that is expected to end it before its last trial, such as "budget.money"; empty: none.
        least_s: wall time of what has not begun yet, seconds.
        overdue: whether what is under way has taken longer than `factor` explains, so that the guess says nothing.
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
    limit: str = ""
    least_s: float = 0.0
    overdue: bool = False


class Forecast:
    """Says at any time what a search is expected to take. Pure: it reads neither clock nor store.

    Args:
        recipe: of the search, precision settled, budget included; its number of trials may change.
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
        self._recipe, self._machine = recipe, machine
        self._earlier, self._known = earlier or StageTimes(), known
        self._ahead = Ahead(recipe, bank, sizes, held)
        self._seen: tuple[int, ...] = ()
        self._seen_s = 0.0
        self._found: Expected | None = None

    @property
    def trials(self) -> int:
        """Trials in all: as asked for, or as many as the space has points."""
        return self._ahead.trials

    def keys(self) -> dict[str, list[str]]:
        """The keys of the stages ahead, by stage."""
        return self._ahead.keys()

    def expected(self, state: SearchState, elapsed_s: float | None = None) -> Expected:
        """What is expected now.

        What is under way goes on between two events, so the time that is left falls, but never below that of what has
        not begun yet.

        Args:
            state: of the search.
            elapsed_s: search time now; None: that of the last event.
        """
        now_s = state.elapsed_s if elapsed_s is None else elapsed_s
        trials = list(state.trials.values())
        n_ended, n_tested = sum(trial.outcome is not None for trial in trials), sum(bool(t.test) for t in trials)
        n_confirmed = sum(len(trial.confirmations) for trial in trials)
        seen = (self._recipe.budget.trials, len(trials), n_ended, n_tested, n_confirmed)
        if self._found is None or seen != self._seen:
            self._seen, self._seen_s, self._found = seen, now_s, self._within_limits(state, now_s)
        found = self._found
        passed_s = max(0.0, now_s - self._seen_s)
        runs = n_ended < len(trials) and state.paused is None
        under_way_s = found.left_s - found.least_s
        overdue = runs and found.source == "guess" and passed_s > found.factor * max(START_S, under_way_s)
        left_s = max(found.least_s, found.left_s - passed_s)
        if limit_s := self._recipe.budget.time_limit_s:
            left_s = min(left_s, max(0.0, limit_s - now_s))
        return replace(found, left_s=left_s, total_s=now_s + left_s, overdue=overdue)

    def _within_limits(self, state: SearchState, now_s: float) -> Expected:
        """What is expected as of now, with as many trials as the limits of the budget pay for."""
        whole, begun = self._look_ahead(state, self.trials), len(state.trials)
        limit, share = self._limit(whole, now_s)
        if not limit:
            return whole
        low, high = begun, max(begun, self.trials)  # the first suffices, or nothing does; the second does not
        found = whole
        while low < high:
            middle = (low + high) // 2
            tried = self._look_ahead(state, middle)
            if self._limit(tried, now_s)[0]:
                high = middle
            else:
                low, found = middle + 1, tried
        if found is whole:  # not even what has begun
            found = replace(self._look_ahead(state, begun), trials=begun)
            share = self._limit(found, now_s)[1]
            left, left_s = found.left * share, found.left_s * share
            found = replace(found, left=left, spent=spent_in(state) + left, left_s=left_s, least_s=0.0)
        if limit == "budget.time_limit_s":  # trials begin until then
            left_s = max(0.0, self._recipe.budget.time_limit_s - now_s)
            found = replace(found, left_s=left_s, least_s=left_s)
        return replace(found, limit=limit)

    def _limit(self, found: Expected, now_s: float) -> tuple[str, float]:
        """The first limit that does not suffice, and the share of what is left that it pays for; else empty and 1."""
        budget, prices = self._recipe.budget, self._recipe.budget.prices
        before = Spent(found.spent.cpu_s - found.left.cpu_s, found.spent.gpu_s - found.left.gpu_s)
        limits = (
            ("time_limit_s", budget.time_limit_s, now_s, found.left_s),
            ("cpu_hours", budget.cpu_hours, before.cpu_hours, found.left.cpu_hours),
            ("gpu_hours", budget.gpu_hours, before.gpu_hours, found.left.gpu_hours),
            ("money", budget.money, before.money(prices), found.left.money(prices)),
        )
        over = [
            (max(0.0, limit - spent) / left, f"budget.{name}")
            for name, limit, spent, left in limits
            if limit > 0 and left > 0 and spent + left > limit
        ]
        share, name = min(over, default=(1.0, ""))
        return name, share

    def _look_ahead(self, state: SearchState, n_trials: int) -> Expected:
        """What so many trials are expected to take, as of the last event; `total_s` is not set yet."""
        trials = list(state.trials.values())
        ended = [trial for trial in trials if trial.outcome]
        opened = [self._ahead.of(trial) for trial in trials if trial.outcome is None]
        times = self._times(ended).over(self._earlier)
        have = self._known | {use.key for use in uses_of(trials)}
        found = found_share(uses_of(ended), self._known | {work.key for row in opened for work in row})
        coming = max(0, n_trials - len(trials))
        share, new = stopped_share(self._recipe), [self._ahead.of(t) for t in to_be_promoted(self._recipe, state)]
        new += [as_it_ends(row, place, share) for place, row in enumerate(self._ahead.coming(coming, len(trials)))]
        rows = _without([_timed(row, times, {}, HALF) for row in opened], have)
        rows += (later := _without([_timed(row, times, found) for row in new], have))
        members = self._members(state, n_trials)
        again = _without([_timed(row, times, {}) for row in self._again(state, members)], have)
        parallel, after_s = self._recipe.budget.parallel, self._test_s(state, members, times)
        after_s += makespan(again, max(1, len(again)), self._machine)
        left_s = makespan(rows, parallel, self._machine) + after_s
        left_s += START_S if left_s and not ended else 0.0
        under_way = 0 if rows or not ended else round(min(self._machine.cpus, len(again)))
        least_s = makespan(later, parallel, self._machine) + after_s
        least_s = makespan(again[under_way:], max(1, len(again)), self._machine) if under_way else least_s
        distinct = {work.key: work for row in [*rows, *again] for work in row}
        left = sum((Spent(w.seconds * w.cpus, w.seconds * w.gpus) for w in distinct.values()), Spent())
        n_runs = sum(len(trial.confirmations) for trial in ended) + len(again)
        stages = _counted([*opened, *new, *again], distinct)
        spent, factor = spent_in(state) + left, self._factor(times, distinct.values())
        all_s = min(least_s, left_s)
        return Expected(
            len(trials) + coming, n_runs, stages, spent, left, left_s, 0.0, times.source, factor, least_s=all_s
        )

    def _times(self, ended: Sequence[TrialRecord]) -> StageTimes:
        """The times of this search's own stages, those of confirmations included, in the order of their ends."""
        runs = list[tuple[float, dict[str, Timed]]]()
        for trial in ended:
            runs.append((trial.ended_at, _compared(trial.stages, self._ahead.of(trial))))
            for run in list(trial.confirmations.values()):
                runs.append((run.time_s, _compared(run.stages, self._ahead.whole(trial))))
        once: dict[str, Timed] = {}
        for _, several in sorted(runs, key=lambda pair: pair[0]):
            once = several | once
        return StageTimes.of(once.values(), "search", beside(uses_of(ended)))

    def _factor(self, times: StageTimes, left: Collection[Work]) -> float:
        """How far off it may be: by little, where most of what is left has been timed a few times."""
        if times.source == "guess":
            return FACTOR
        few = sum(work.seconds for work in left if times.runs_of(work.stage) < FEW)
        return 2.0 if times.source == "store" or few > FEW_SHARE * sum(work.seconds for work in left) else 1.25

    def _members(self, state: SearchState, n_trials: int) -> int:
        """Members that the front will have after so many trials."""
        objectives = objectives_of(self._recipe)
        n_complete, n_members = len(state.points(objectives)), len(state.members(objectives))
        if len(state.finished()) >= n_trials:
            return n_members
        power = MEMBERS.get(len(objectives), MANY_MEMBERS)
        likely = float(n_members * (n_trials / n_complete) ** power if n_complete >= FEW else n_trials**power)
        return min(n_trials, max(1, round(likely)))

    def _again(self, state: SearchState, n_members: int) -> list[list[Work]]:
        """The rows of the confirmation runs that are left: of present members, then of points drawn for others."""
        objectives = objectives_of(self._recipe)
        most = min(n_members, self._recipe.confirm.most_members(max(len(state.trials), self.trials)))
        present = [state.trials[p.trial] for p in by_promise(state.members(objectives), objectives)][:most]
        rows = [row for t in present for row in self._ahead.repeated(self._ahead.point_of(t), t.confirmations)]
        known = [self._ahead.point_of(trial) for trial in present]
        others = [point for point in self._ahead.points if point not in known][: most - len(present)]
        return rows + [row for point in others for row in self._ahead.repeated(point)]

    def _test_s(self, state: SearchState, n_members: int, times: StageTimes) -> float:
        """Seconds of measuring those members of the front on test that have not been measured."""
        if self._recipe.protocol == "paper":
            return 0.0
        measured = sum(bool(state.trials[p.trial].test) for p in state.members(objectives_of(self._recipe)))
        name = measuring_stage().name
        row = next((row for row in self._ahead.coming(1, 0) if row), [])
        one = [work._replace(seconds=TEST * times.seconds(name, work.seconds)) for work in row if work.stage == name]
        rows = [[work._replace(key=str(i)) for work in one] for i in range(max(0, n_members - measured))]
        return makespan(rows, max(1, len(rows)), self._machine)


def _compared(uses: Sequence[StageUse], row: Sequence[Work]) -> dict[str, Timed]:
    """How long stages took beside how long they were guessed to take, by key."""
    guesses = {work.stage: work.seconds for work in row}
    return {use.key: Timed(use.stage, guesses[use.stage], use.took_s) for use in uses if use.stage in guesses}


def _timed(row: Sequence[Work], times: StageTimes, found: Mapping[str, float], part: float = 1.0) -> list[Work]:
    """A row with measured times: so much of it is left, and this share of each stage is found in the store."""
    return [
        work._replace(
            seconds=part
            * (times.seconds(work.stage, work.seconds) * (1.0 - found.get(work.stage, 0.0)) + times.beside_s)
        )
        for work in row
    ]


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
