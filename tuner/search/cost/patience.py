"""Ends a search whose front no longer moves: a rule on trials by number, so that it does not depend on timing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tuner.front.hypervolume import FIRST_TRIALS, history, reference_of, sure_growth
from tuner.front.pareto import Objective, measured
from tuner.recipe import Recipe, lag_of, objectives_of
from tuner.search.record.reference import by_number
from tuner.search.record.state import SearchState


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
    """

    objectives: Sequence[Objective]
    trials: int
    tolerance: float
    lag: int
    reference: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, recipe: Recipe) -> "Patience":
        """The rule of a recipe; its lag is that of the sampler."""
        return cls(
            objectives_of(recipe),
            recipe.budget.patience,
            recipe.budget.tolerance,
            lag_of(recipe.sampler, recipe.budget.parallel),
            recipe.reference,
        )

    def enough(self, state: SearchState, number: int) -> bool:
        """Whether the front had stood still before trial `number`."""
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

        Not before there is a reference, and not where an earlier trial is still open.
        """
        first = [state.trials[n] for n in range(n_trials) if n in state.trials and state.trials[n].outcome]
        if len(first) < max(n_trials, self.trials + 1):
            return False
        points = {p.trial: p for p in by_number(state, self.objectives) if p.trial < n_trials}
        whole = measured(list(points.values()), self.objectives)
        if len(whole) < FIRST_TRIALS:
            return False
        reference = reference_of(whole[:FIRST_TRIALS], self.objectives, self.reference)
        gained = dict(zip(points, sure_growth(list(points.values()), self.objectives, reference), strict=True))
        volumes = dict(zip(points, history(list(points.values()), self.objectives, reference), strict=True))
        volume, added = 0.0, [gained.get(trial.number, 0.0) for trial in first]
        for end in range(len(first)):
            volume = volumes.get(end, volume)
            window = added[end - self.trials + 1 : end + 1]
            if end >= max(self.trials, FIRST_TRIALS) and volume > 0 and sum(window) <= self.tolerance * volume:
                return True
        return False
