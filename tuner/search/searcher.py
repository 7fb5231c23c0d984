"""Ray Tune's view of the search: it asks for trials here, and brings back what became of them.

The ledger is written here and only here: a trial before it starts, its outcome when it ends.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ray.tune.search import Searcher

from tuner.recipe import Recipe
from tuner.search.plan import plan_trial
from tuner.search.records import SearchState, TrialRecord
from tuner.search.study import Proposer

Record = Callable[[Mapping[str, Any]], None]


class LedgerSearcher(Searcher):
    """Proposes open trials of an earlier driver first, then new ones, up to the budget.

    Args:
        recipe: the search.
        bank: key of its feature bank.
        state: what the ledger said at the start; kept up to date by `record`.
        proposer: where parameters come from.
        record: appends an event to the ledger, and applies it to the state.
        config: what every trial is given besides its number and stages.
        stop: tells whether no more trials may start (time limit, lost lease).
    """

    def __init__(
        self,
        recipe: Recipe,
        bank: str,
        state: SearchState,
        proposer: Proposer,
        record: Record,
        config: dict[str, Any],
        stop: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._recipe, self._bank, self._state, self._proposer = recipe, bank, state, proposer
        self._record, self._config, self._stop = record, config, stop
        self._waiting = [trial.number for trial in state.open()]
        self._running: dict[str, int] = {}
        self.exhausted = False
        self.halted: str | None = None  # why no trial can go on

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration, None for "not now", or FINISHED."""
        if self._stop() or self.halted:
            return str(Searcher.FINISHED)
        if len(self._running) >= self._recipe.budget.parallel:
            return None
        number = self._waiting.pop(0) if self._waiting else self._new()
        if number is None:
            return None if self._running and not self._full() else str(Searcher.FINISHED)
        self._running[trial_id] = number
        stages = plan_trial(self._recipe, self._bank, self._state.trials[number].params)
        return {**self._config, "number": number, "stages": stages}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Write the outcome of a trial to the ledger; a coordinator that died leaves a failed trial."""
        number = self._running.pop(trial_id, None)
        if number is None:
            return
        text = (result or {}).get("record")
        if text is not None and not error:
            outcome = json.loads(text)
            if outcome["outcome"] == "halted":
                self.halted = outcome["cause"]
                return  # it stays open
        else:
            if self._stop():
                return  # stopped from outside: the trial stays open and is run again by the next driver
            cause = "its coordinator died more often than budget.retries allows"
            outcome = {
                "outcome": "failed",
                "stage": None,
                "cause": cause,
                "values": {},
                "stages": [],
                "model": None,
            }
            outcome["seconds"] = 0.0
        self._record({"event": "outcome", "trial": number, "time_s": time.time(), **outcome})

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger remembers."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def _new(self) -> int | None:
        """Number of a newly proposed trial, or None if there is none now."""
        number = len(self._state.trials)
        if self._full() or not self._ready(number):
            return None
        params = self._proposer.propose(number, self._state.trials)
        if params is None:
            self.exhausted = True
            return None
        self._record({"event": "trial", "trial": number, "time_s": time.time(), "params": params})
        return number

    def _full(self) -> bool:
        return self.exhausted or len(self._state.trials) >= self._recipe.budget.trials

    def _ready(self, number: int) -> bool:
        """Whether the trials that proposal `number` is made from have all ended."""
        known = range(max(0, number - self._recipe.budget.parallel + 1))
        return all(self._ended(self._state.trials[n]) for n in known)

    @staticmethod
    def _ended(trial: TrialRecord) -> bool:
        return trial.outcome is not None
