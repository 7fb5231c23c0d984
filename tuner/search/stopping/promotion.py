"""Pause and promote: every trial pauses at the rung, and goes on at a later turn if it is among the first by then.

A turn is that of a proposal. Turn n knows the trials 0 .. n - lag as a proposal does, and counts the end of a promoted
trial if that was promoted at a turn up to n - lag; until then it is under way, whether it has ended or not. So a turn
depends on numbers and values only. What is promoted after the last turn counts for no turn of a longer search, which
comes to its own decision. This is asynchronous successive halving with promotions (Li et al. 2020), made reproducible.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from tuner.recipe import Recipe, constraints_of, lag_of, objectives_of
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.bar import exact_of, is_at_rung, losses
from tuner.search.stopping.forecast import traits_of
from tuner.search.stopping.halving import Halving

Trials = Mapping[int, TrialRecord]


class Promotion:
    """The rule of a search whose trials pause.

    Args:
        recipe: of the search, `stopping.promotes` on.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._objectives, self._constraints = objectives_of(recipe), constraints_of(recipe)
        self._rule = Halving(recipe.stopping.eta, recipe.stopping.startup_trials)

    @property
    def lag(self) -> int:
        """Turn n knows the trials 0 .. n - lag."""
        return lag_of(self._recipe.sampler, self._recipe.budget.parallel)

    def ready(self, trials: Trials, turn: int) -> bool:
        """Whether everything has ended that a turn counts: it has been tried, is at the rung, or has come to its end.

        Args:
            trials: by number.
            turn: number of the turn.
        """
        return all(n in trials and self._settled(trials[n], turn) for n in range(self._n_known(turn)))

    def seen(self, trials: Trials, turn: int) -> dict[int, TrialRecord]:
        """All trials as a turn knows them: what counts only later is open, and what has yet to be promoted is pruned.

        Args:
            trials: by number.
            turn: number of the turn.
        """
        known = self._n_known(turn)
        return {n: self._as_known(trial, turn) if n < known else trial for n, trial in trials.items()}

    def at_turn(self, trials: Trials, turn: int) -> list[int]:
        """The trials that are promoted at a turn, by number; it is `ready`."""
        known, seen = self._n_known(turn), self.seen(trials, turn)
        return self._first(seen[n] for n in sorted(seen) if n < known)

    def after_the_last(self, state: SearchState) -> tuple[int | None, list[int]] | None:
        """What is promoted next when there are no more proposals: the turn, and the trials by number.

        First come the turns of the next proposals, which a longer search has too, as long as they know no trial that
        this search lacks; then, at no turn, what is among the first once all have ended, as often as there is any.

        Returns:
            None: nothing is, as long as nothing else ends.
        """
        n = max(state.trials, default=-1) + 1
        for turn in range(n, n + self.lag):
            if not self.ready(state.trials, turn):
                return None
            if found := self.at_turn(state.trials, turn):
                return turn, found
        if state.open():
            return None
        found = self._first(state.trials[n] for n in sorted(state.trials))
        return (None, found) if found else None

    def _n_known(self, turn: int) -> int:
        return max(0, turn - self.lag + 1)

    def _settled(self, trial: TrialRecord, turn: int) -> bool:
        if trial.outcome is not None:
            return True
        counts = trial.promoted is not None and trial.promoted <= turn - self.lag
        return trial.reopened and is_at_rung(self._recipe, trial) and not counts

    def _as_known(self, trial: TrialRecord, turn: int) -> TrialRecord:
        if not (trial.reopened or trial.outcome == "pruned"):
            return trial
        if trial.promoted is None or trial.promoted > turn:
            return replace(trial, outcome="pruned", values={}, model=None)
        return trial if trial.promoted <= turn - self.lag else replace(trial, outcome=None, values={}, model=None)

    def _first(self, trials: Iterable[TrialRecord]) -> list[int]:
        """Those that are paused and among the first; trials without all values at the rung are not compared."""
        found = [
            (row, trial)
            for trial in trials
            if is_at_rung(self._recipe, trial)
            and (row := losses(self._objectives, trial.params, trial.rung, self._constraints)) is not None
        ]
        if not found:
            return []
        rung = np.array([row for row, _ in found])
        compared = [trial for _, trial in found]
        ended = np.array([self._end(trial) or (np.nan,) * rung.shape[1] for trial in compared])
        exact = exact_of(self._objectives, compared[0].params, compared[0].rung)
        first = self._rule.first(rung, ended, exact, traits_of([trial.params for trial in compared]))
        return [trial.number for trial, goes_on in zip(compared, first, strict=True) if goes_on and _pauses(trial)]

    def _end(self, trial: TrialRecord) -> tuple[float, ...] | None:
        if trial.outcome != "complete":
            return None
        return losses(self._objectives, trial.params, trial.values, self._constraints)


def _pauses(trial: TrialRecord) -> bool:
    return trial.outcome == "pruned"


def promotion_of(recipe: Recipe) -> Promotion | None:
    """The rule of a recipe; None: its trials do not pause."""
    return Promotion(recipe) if recipe.stopping.rung and recipe.stopping.promotes else None
