"""Ends a search whose front no longer moves: a rule on trials by number, so that it does not depend on timing."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuner.front.hypervolume import FIRST_TRIALS, Growth, reference_of
from tuner.front.pareto import Objective, Point, measured
from tuner.recipe import Recipe, lag_of, objectives_of
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.promotion import Promotion, promotion_of


@dataclass
class Patience:
    """Ends a search when the last trials have added nothing beyond noise to the hypervolume.

    Trial n is proposed if the rule does not hold for the first n - lag + 1 trials, which have all ended by then
    whatever the order. So the same trials are proposed on any machine. Growth counts as far as it is there with a trial
    that is one standard error worse than measured.

    Args:
        objectives: of the search.
        trials: how many trials must have added nothing.
        tolerance: share of the hypervolume up to which growth counts as nothing.
        lag: a proposal depends on trials that are at least so far behind it.
        reference: the recipe's, by objective. Else it is that of the first trials here too: what the ledger keeps is of
            fewer trials where the search was shorter at first, and a longer search must not depend on that.
        promotion: of trials that pause; they count as the turn of the proposal knows them.
    """

    objectives: Sequence[Objective]
    trials: int
    tolerance: float
    lag: int
    reference: Mapping[str, float] = field(default_factory=dict)
    promotion: Promotion | None = None
    _walk: "_Walk | None" = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, recipe: Recipe) -> "Patience":
        """The rule of a recipe; its lag is that of the sampler."""
        return cls(
            objectives_of(recipe),
            recipe.budget.patience,
            recipe.budget.tolerance,
            lag_of(recipe.sampler, recipe.budget.parallel),
            recipe.reference,
            promotion_of(recipe),
        )

    def enough(self, state: SearchState, number: int) -> bool:
        """Whether the front had stood still before trial `number`."""
        if self.promotion is not None:
            state = replace(state, trials=self.promotion.seen(state.trials, number))
        return self.stood_still(state, number - self.lag + 1)

    def reached(self, state: SearchState) -> bool:
        """Never: trials under way end, and the front is confirmed."""
        return False

    def told(self, state: SearchState) -> str:
        """The sentence for the end."""
        return (
            f"the front no longer moves: after {len(state.finished())} trials, {self.trials} trials in a row added at "
            f"most {100 * self.tolerance:g} % to the hypervolume beyond noise; run with budget.patience=0 to go on"
        )

    def stood_still(self, state: SearchState, n_trials: int) -> bool:
        """Whether somewhere in the first `n_trials` trials, by number, so many in a row added nothing.

        Not before there is a reference, and not where an earlier trial is still open. Trials that have ended stay as
        they are, so each is looked at once.
        """
        if self._walk is None or self._walk.state is not state:
            self._walk = _Walk(self, state)
        return self._walk.stood_still(n_trials)


class _Walk:
    """The trials of a search by number, as far as all have ended, each taken in once."""

    def __init__(self, rule: Patience, state: SearchState) -> None:
        self.state, self._rule = state, rule
        self._names = [o.name for o in rule.objectives]
        self._waiting: list[Point | None] = []  # trials before there is a reference
        self._growth: Growth | None = None
        self._n, self._n_taken = 0, 0  # trials looked at, and taken into the hypervolume
        self._last: deque[float] = deque(maxlen=rule.trials)  # what each of the last trials added
        self._stood_at: int | None = None

    def stood_still(self, n_trials: int) -> bool:
        """As `Patience.stood_still`."""
        trials = self.state.trials
        while self._n < n_trials and self._n in trials and trials[self._n].outcome:
            self._look_at(trials[self._n])
        return self._n >= n_trials and self._stood_at is not None and self._stood_at < n_trials

    def _look_at(self, trial: TrialRecord) -> None:
        self._n += 1
        self._waiting.append(self.state.point(trial, self._names) if trial.outcome == "complete" else None)
        if self._growth is None:
            whole = measured([point for point in self._waiting if point is not None], self._rule.objectives)
            if len(whole) < FIRST_TRIALS:
                return
            self._growth = Growth(
                self._rule.objectives, reference_of(whole, self._rule.objectives, self._rule.reference)
            )
        for point in self._waiting:
            self._take(point, self._growth)
        self._waiting = []

    def _take(self, point: Point | None, growth: Growth) -> None:
        self._last.append(0.0 if point is None else growth.add(point))
        end, rule = self._n_taken, self._rule
        self._n_taken += 1
        stands = growth.volume > 0 and sum(self._last) <= rule.tolerance * growth.volume
        if self._stood_at is None and end >= max(rule.trials, FIRST_TRIALS) and stands:
            self._stood_at = self._n - 1  # known only now
