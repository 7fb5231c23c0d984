"""The searcher of Ray Tune: Tune asks it for trials and reports their outcomes to it.

Only the searcher records trials in the ledger: a trial before it starts, its outcome when it ends.

Tune gets as many trials as may run at once, each as a number only. Their parameters go to the broker as soon as the
outcomes that the proposal needs are known. So coordinators are ready early, Tune reuses their processes, and the stages
already run while Tune is still starting the coordinator.
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ray.tune.search import Searcher

from tuner.recipe import Recipe
from tuner.search.execute.messages import TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.rung_plan import plan_stoppable
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.space import Params
from tuner.search.record.events import Ended, Event, Proposed, Reopened
from tuner.search.record.fields import InvalidEventError
from tuner.search.record.restoration import SearchState
from tuner.search.record.searched_banks import Bank
from tuner.search.stopping.bar import Bar
from tuner.search.stopping.promotion import promotion_of
from tuner.store import LeaseHeldError, StoreError

Record = Callable[[Event], None]


class Broker(Protocol):
    """The part of the broker that the searcher uses; see `BrokerHandle`."""

    def expect(self, trial: int) -> None:
        """Tune is about to start a trial's coordinator."""

    def hand_out(self, trial: int, stages: list[StageSpec] | None, bar: Bar | None = None) -> None:
        """Start a trial, with what it is compared with at its rung; no stages: it is not needed."""

    def forget(self, trial: int) -> None:
        """A trial's outcome has been recorded."""


class LedgerSearcher(Searcher):
    """Hands out open trials of an earlier driver and new proposals by number, up to the budget.

    A proposal that the ledger lost is made again; later trials may have ended in the meantime.

    Args:
        recipe: the search.
        bank: its feature bank.
        state: the ledger's state at the start; updated by `record`.
        proposer: proposes parameters.
        record: appends an event to the ledger, and applies it to the state.
        broker: takes the trials through their stages.
        stop: tells whether no more trials may start (time limit, lost lease).
        enough: tells of a trial's number whether the budget suffices for no more proposals; trials under way go on.
        spent: tells whether it suffices for no paused trial to go on after the last proposal.
        heed: called in the thread of Ray Tune, about once a second, to carry out what people have instructed.
    """

    def __init__(
        self,
        recipe: Recipe,
        bank: Bank,
        state: SearchState,
        proposer: Proposer,
        record: Record,
        broker: Broker,
        stop: Callable[[], bool],
        enough: Callable[[int], bool] = lambda number: False,
        heed: Callable[[], None] = lambda: None,
        spent: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self._heed, self._spent = heed, spent
        self._promotion = promotion_of(recipe)
        self._recipe, self._bank, self._state, self._proposer = recipe, bank, state, proposer
        self._record, self._broker, self._stop, self._enough = record, broker, stop, enough
        self._open = [trial.number for trial in state.open()]
        self._missing = state.missing(recipe.budget.trials)
        self._promised: list[int] = []
        self._n_ended = 0  # the trials below this number have all ended
        self._running: dict[str, int] = {}
        self.exhausted = False
        self.halted: str | None = None  # why no trial can continue

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration, None for "not now", or FINISHED."""
        self.look()
        if self._called_off():
            return str(Searcher.FINISHED)
        if self._state.paused or len(self._running) >= self._recipe.budget.parallel:
            return None
        missing = [] if self.exhausted else self._missing
        if not (self._open or missing):  # while a trial runs, a person may add another
            return None if self._running else str(Searcher.FINISHED)
        first = min((numbers for numbers in (self._open, missing) if numbers), key=lambda numbers: numbers[0])
        number = first.pop(0)  # the lowest: a trial waits for lower ones only
        self._running[trial_id] = number
        self._broker.expect(number)
        self._promised.append(number)
        self._keep_promises()
        return {"number": number}

    def look(self) -> None:
        """Carry out what people have instructed; a store that refuses to record it halts the search."""
        try:
            self._heed()
        except (StoreError, LeaseHeldError) as error:
            self.halted = error.what
        self._keep_promises()

    def started(self, number: int) -> bool:
        """Whether the broker has a trial."""
        return number in self._running.values() and number not in self._promised

    def drop(self, number: int) -> None:
        """Do not start a trial: it has ended."""
        if number in self._open:
            self._open.remove(number)
        if number in self._promised:
            self._promised.remove(number)
            self._broker.hand_out(number, None)

    @property
    def next_number(self) -> int:
        """The number of the next trial that nobody has."""
        return max([*self._state.trials, *self._state.lost, *self._promised], default=-1) + 1

    def adjust(self) -> None:
        """Follow a changed budget, and trials that a person has added."""
        for number in [n for n in self._promised if n >= self._recipe.budget.trials and n not in self._state.trials]:
            self.drop(number)
        taken = {*self._running.values(), *self._promised}
        self._open = [trial.number for trial in self._state.open() if trial.number not in taken]
        self._missing = [n for n in self._state.missing(self._recipe.budget.trials) if n not in taken]

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Record the outcome of a trial in the ledger; if its coordinator died, the trial has failed."""
        number = self._running.pop(trial_id, None)
        if number is None:
            return
        text = (result or {}).get("record")
        outcome = _read(text) if text is not None and not error else self._died(number)
        if outcome is None:
            self.adjust()  # it was not needed; it may be again
        elif outcome.outcome == "halted":
            self.halted = outcome.cause  # the trial stays open
        elif outcome.outcome != "called off":
            self._write(self._ended(number, outcome))
        self._broker.forget(number)
        self._keep_promises()

    def save(self, checkpoint_path: str) -> None:
        """Not used: the ledger holds the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Not used: the ledger holds the state."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def _ended(self, number: int, outcome: TrialOutcome) -> Ended:
        """The event of an outcome; an outcome that the ledger cannot represent becomes a failure."""
        try:
            return outcome.ended(number, time.time())
        except InvalidEventError as damage:
            return _unrecordable(damage).ended(number, time.time())

    def _died(self, number: int) -> TrialOutcome | None:
        """The outcome of a trial whose coordinator died; None leaves it to the next driver."""
        cause = "its coordinator died more often than budget.retries allows"
        if number not in self._state.trials:
            self.halted = f"trial {number}: {cause}"  # not yet proposed: it would never run, and others wait for it
        if self._called_off():
            return None
        return TrialOutcome("failed", None, cause)

    def _keep_promises(self) -> None:
        """Start the promised trials that can be; call off those that are no longer needed.

        New trials are proposed in order. One that goes on does not wait for them: they may wait for it.
        """
        for number in list(self._promised):
            wanted = number in self._promised
            if wanted and (self._called_off() or (not self._state.paused and self._ready(number))):
                self._keep_promise(number)
        self._promote_after_the_last()

    def _keep_promise(self, number: int) -> None:
        if not self._called_off() and number not in self._state.trials:
            self._take_turn(number)
        stages = bar = None
        if not self._called_off() and number in self._state.trials:
            stages, bar = plan_stoppable(self._recipe, self._bank, self._state, self._state.trials[number])
        self._broker.hand_out(number, stages, bar)
        self._promised.remove(number)

    def _called_off(self) -> bool:
        """Whether no further trial may start."""
        return bool(self._stop() or self.halted)

    def _take_turn(self, number: int) -> None:
        """Promote what this turn promotes, then propose."""
        if self._promotion is not None and not self.exhausted:
            self._promote(number, self._promotion.at_turn(self._state.trials, number))
        if not self._called_off():
            self._propose(number)

    def _propose(self, number: int) -> None:
        """Give a trial its parameters, unless the space or the budget is exhausted."""
        params = None if self.exhausted or self._enough(number) else self._drawn(number)
        if params is None:
            self.exhausted = True
        else:
            known = self._proposer.known_at(number) if self._promotion is not None else None
            self._write(Proposed(time.time(), number, params, known=known))

    def _drawn(self, number: int) -> Params | None:
        """The proposal, of the trials as its turn knows them."""
        trials, rule = self._state.trials, self._promotion
        if rule is None:
            return self._proposer.propose(number, trials)
        return self._proposer.propose(number, rule.seen(trials, number), rule.forecasts(trials, number))

    def _promote(self, turn: int | None, trials: Sequence[int]) -> None:
        """Let paused trials go on; those that have gone on already in a shorter search only count from now on."""
        if trials:
            self._write(Reopened(time.time(), tuple(trials), turn))
            self.adjust()

    def _promote_after_the_last(self) -> None:
        """When no proposal is left, take the turns that let paused trials go on."""
        rule, proposing = self._promotion, any(number not in self._state.trials for number in self._promised)
        while rule is not None and (self.exhausted or not self._missing) and not proposing:
            if self._called_off() or self._state.paused or (found := rule.after_the_last(self._state)) is None:
                return
            if self._spent():
                self.exhausted = True
                return
            self._promote(*found)

    def _write(self, event: Event) -> None:
        """Record an event; if the store or the lease refuses it, the search halts and the trial stays open."""
        try:
            self._record(event)
        except (StoreError, LeaseHeldError) as error:
            self.halted = error.what

    def _ready(self, number: int) -> bool:
        """Whether all trials have ended that the proposal needs, or a proposed trial's comparison at its rung."""
        trials = self._state.trials
        if number not in trials and number != next(n for n in self._promised if n not in trials):
            return False
        if number not in trials and self.exhausted:
            return True  # it gets no parameters
        if self._promotion is not None:
            return self._promotion.may_start(trials, number)
        if number in trials:
            return True
        while self._n_ended in trials and trials[self._n_ended].outcome:
            self._n_ended += 1
        return self._n_ended > number - self._proposer.lag


def _read(text: str) -> TrialOutcome | None:
    """The outcome in a coordinator's report; None: there was nothing to do."""
    content = json.loads(text)
    try:
        return None if content is None else TrialOutcome.from_json(content)
    except InvalidEventError as damage:
        return _unrecordable(damage)


def _unrecordable(damage: InvalidEventError) -> TrialOutcome:
    return TrialOutcome("failed", None, f"its outcome cannot be recorded: {damage}")
