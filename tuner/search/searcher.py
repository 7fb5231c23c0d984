"""Ray Tune's view of the search: it asks for trials here, and brings back what became of them.

The ledger is written here and only here: a trial before it starts, its outcome when it ends.

Tune gets as many trials as may run at once, with a number only. What they are to run goes to the broker as soon as the
outcomes they are proposed from are known; so a coordinator is always there and Tune reuses its process, and the stages
are under way while Tune is still busy with the coordinator.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ray.tune.search import Searcher

from tuner.recipe import Recipe
from tuner.search.plan import plan_trial
from tuner.search.records import SearchState
from tuner.search.study import Proposer
from tuner.store import StoreFailure

Record = Callable[[Mapping[str, Any]], None]


class LedgerSearcher(Searcher):
    """Proposes open trials of an earlier driver first, then new ones, up to the budget.

    Args:
        recipe: the search.
        bank: key of its feature bank.
        state: what the ledger said at the start; kept up to date by `record`.
        proposer: where parameters come from.
        record: appends an event to the ledger, and applies it to the state.
        broker: takes the trials through their stages.
        stop: tells whether no more trials may start (time limit, lost lease).
    """

    def __init__(
        self,
        recipe: Recipe,
        bank: str,
        state: SearchState,
        proposer: Proposer,
        record: Record,
        broker: Any,
        stop: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._recipe, self._bank, self._state, self._proposer = recipe, bank, state, proposer
        self._record, self._broker, self._stop = record, broker, stop
        self._open = [trial.number for trial in state.open()]
        self._next = len(state.trials)
        self._promised: list[int] = []
        self._running: dict[str, int] = {}
        self.exhausted = False
        self.halted: str | None = None  # why no trial can go on

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration, None for "not now", or FINISHED."""
        if self._called_off():
            return str(Searcher.FINISHED)
        if len(self._running) >= self._recipe.budget.parallel:
            return None
        if self._open:
            number = self._open.pop(0)
        elif self.exhausted or self._next >= self._recipe.budget.trials:
            return str(Searcher.FINISHED)
        else:
            number, self._next = self._next, self._next + 1
        self._running[trial_id] = number
        self._broker.expect.remote(number)
        self._promised.append(number)
        self._keep_promises()
        return {"number": number}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Write the outcome of a trial to the ledger; a coordinator that died leaves a failed trial."""
        number = self._running.pop(trial_id, None)
        if number is None:
            return
        text = (result or {}).get("record")
        outcome = json.loads(text) if text is not None and not error else self._died(number)
        if outcome is not None and outcome["outcome"] == "halted":
            self.halted = outcome["cause"]  # the trial stays open
        elif outcome is not None and outcome["outcome"] != "called off":
            self._write({"event": "outcome", "trial": number, "time_s": time.time(), **outcome})
        self._broker.forget.remote(number)
        self._keep_promises()

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger remembers."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def _died(self, number: int) -> dict[str, Any] | None:
        """The outcome of a trial whose coordinator died; None leaves it to the next driver."""
        cause = "its coordinator died more often than budget.retries allows"
        if number not in self._state.trials:
            self.halted = f"trial {number}: {cause}"  # not even proposed: nobody would run it, and others wait for it
        if self._called_off():
            return None
        died: dict[str, Any] = {"outcome": "failed", "stage": None, "cause": cause, "values": {}, "stages": []}
        return {**died, "model": None, "seconds": 0.0}

    def _keep_promises(self) -> None:
        """Start the promised trials whose time has come, in order; call off those that will not be."""
        while self._promised and (self._called_off() or self._ready(self._promised[0])):
            number = self._promised[0]
            if not self._called_off() and number not in self._state.trials:
                self._propose(number)
            stages = None
            if not self._called_off() and number in self._state.trials:
                stages = plan_trial(self._recipe, self._bank, self._state.trials[number].params)
            self._broker.hand_out.remote(number, stages)
            self._promised.pop(0)

    def _called_off(self) -> bool:
        """Whether no further trial is to start."""
        return bool(self._stop() or self.halted)

    def _propose(self, number: int) -> None:
        """Give a trial its parameters, unless the space is exhausted."""
        params = None if self.exhausted else self._proposer.propose(number, self._state.trials)
        if params is None:
            self.exhausted = True
        else:
            self._write({"event": "trial", "trial": number, "time_s": time.time(), "params": params})

    def _write(self, event: Mapping[str, Any]) -> None:
        """Record an event; a store that cannot take it halts the search, and what is not written stays open."""
        try:
            self._record(event)
        except StoreFailure as error:
            self.halted = error.what

    def _ready(self, number: int) -> bool:
        """Whether a trial has been proposed before, or the trials that its proposal is made from have all ended."""
        known = range(max(0, number - self._recipe.budget.parallel + 1))
        return number in self._state.trials or all(self._state.trials[n].outcome is not None for n in known)
