"""Promotions: a trial that paused at the rung goes on at a later turn, if it is among the first by then.

A turn is that of a proposal. Turn n knows the trials 0 .. n - lag as a proposal does, and counts the end of a promoted
trial if that was promoted at a turn up to n - lag; until then it is under way, whether it has ended or not. So a turn
depends on numbers and values only. What is promoted after the last turn counts for no turn of a longer search, which
comes to its own decision. This is asynchronous successive halving with promotions (Li et al. 2020), made reproducible.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tuner.front.constraint import ROUNDING
from tuner.recipe import Recipe, lag_of, objectives_of
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.compared import Compared, is_at_rung
from tuner.search.stopping.halving import Halving

Trials = Mapping[int, TrialRecord]


@dataclass(frozen=True)
class Forecast:
    """What a trial is expected to be worth at its end.

    Attributes:
        values: of the objectives, each to be maximised.
        violations: how far it is beyond each constraint of the recipe, as a share of the bound; 0: satisfied.
    """

    values: tuple[float, ...]
    violations: tuple[float, ...]


class Promotion:
    """Which of the paused trials of a search go on, and when.

    Args:
        recipe: of the search.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._n_objectives = recipe, len(objectives_of(recipe))
        self.rule = Halving(recipe.stopping.eta, recipe.stopping.startup_trials)

    @property
    def lag(self) -> int:
        """Turn n knows the trials 0 .. n - lag."""
        return lag_of(self._recipe.sampler, self._recipe.budget.parallel)

    def may_start(self, trials: Trials, number: int) -> bool:
        """Whether everything has ended that a trial counts: its turn, or its comparison at the rung, if it has one.

        Args:
            trials: by number.
            number: of the trial; it has yet to be proposed, or is open.
        """
        trial = trials.get(number)
        if trial is None:
            return self.ready(trials, number)
        if trial.known is None or (trial.reopened and is_at_rung(self._recipe, trial)):
            return True
        return self._settled(trials, trial.known)

    def ready(self, trials: Trials, turn: int) -> bool:
        """Whether everything has ended that a turn counts.

        Args:
            trials: by number.
            turn: number of the turn.
        """
        return self._settled(trials, self._n_known(turn))

    def seen(self, trials: Trials, turn: int) -> dict[int, TrialRecord]:
        """All trials as a turn knows them: what counts only later is open, and what has yet to be promoted is pruned.

        Args:
            trials: by number.
            turn: number of the turn.
        """
        known = self._n_known(turn)
        return {n: _as_known(trial, turn, known) if n < known else trial for n, trial in trials.items()}

    def compared(self, trials: Trials, turn: int, known: int | None = None) -> Compared:
        """The trials that are compared at a turn; it is `ready`.

        Args:
            trials: by number.
            turn: number of the turn.
            known: the turn knows those before this number; None: as the present lag has it.
        """
        until = self._n_known(turn) if known is None else known
        return Compared.of(self._recipe, (_as_known(trials[n], turn, until) for n in sorted(trials) if n < until))

    def at_turn(self, trials: Trials, turn: int) -> list[int]:
        """The trials that are promoted at a turn, by number; it is `ready`."""
        return self._promoted(self.compared(trials, turn), self.seen(trials, turn), self.rule)

    def forecasts(self, trials: Trials, turn: int) -> dict[int, Forecast]:
        """What a turn expects of the trials that it has compared and whose end it does not know, by number."""
        compared = self.compared(trials, turn)
        n, found = self._n_objectives, {}
        for number, ended, worth in zip(compared.numbers, compared.ended, compared.forecasts(), strict=True):
            if ended is None:
                beyond = np.where(worth[n:] > ROUNDING, worth[n:], 0.0)
                found[number] = Forecast(tuple((-worth[:n]).tolist()), tuple(beyond.tolist()))
        return found

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
        everything = Compared.of(self._recipe, (state.trials[n] for n in sorted(state.trials)))
        found = self._promoted(everything, state.trials, replace(self.rule, startup_trials=0))
        return (None, found) if found else None

    def _promoted(self, compared: Compared, trials: Trials, rule: Halving) -> list[int]:
        """Those of the paused trials that are among the first."""
        goes_on = zip(compared.numbers, compared.going_on(rule), strict=True)
        return [number for number, first in goes_on if first and trials[number].outcome == "pruned"]

    def _n_known(self, turn: int) -> int:
        return max(0, turn - self.lag + 1)

    def _settled(self, trials: Trials, known: int) -> bool:
        """Whether the trials before a number have been tried, are at the rung, or, if that counts, have ended."""
        return all(n in trials and self._is_settled(trials[n], known) for n in range(known))

    def _is_settled(self, trial: TrialRecord, known: int) -> bool:
        if trial.outcome is not None:
            return True
        counts = trial.promoted is not None and trial.promoted < known
        return trial.reopened and is_at_rung(self._recipe, trial) and not counts


def _as_known(trial: TrialRecord, turn: int, known: int) -> TrialRecord:
    """A trial as a turn sees it: the ends of trials that were promoted count if that was before turn `known`."""
    if not (trial.reopened or trial.outcome == "pruned"):
        return trial
    if trial.promoted is None or trial.promoted > turn:
        return replace(trial, outcome="pruned", values={}, model=None)
    return trial if trial.promoted < known else replace(trial, outcome=None, values={}, model=None)


def promotions_left(recipe: Recipe, state: SearchState) -> bool:
    """Whether paused trials are to go on although there may be no more proposals."""
    rule = promotion_of(recipe)
    return rule is not None and not state.open() and rule.after_the_last(state) is not None


def promotion_of(recipe: Recipe) -> Promotion | None:
    """The rule of a recipe; None: its trials do not pause."""
    return Promotion(recipe) if recipe.stopping.rung else None
