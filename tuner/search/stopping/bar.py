"""What a trial is compared with at the rung: the earlier trials that its proposal knew, whatever has ended since.

So the decision depends on the numbers of trials and on their values, never on who was faster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.front.constraint import Constraint
from tuner.front.pareto import Objective
from tuner.recipe import Recipe, constraints_of, objectives_of
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.compared import Compared, epochs_of, exact_of, is_at_rung, losses
from tuner.search.stopping.halving import Halving
from tuner.search.stopping.promotion import Promotion


@dataclass(frozen=True)
class Bar:
    """The comparison of one trial; crosses to the broker, and is applied there once the rung's values are known.

    Attributes:
        rule: decides.
        objectives: of the search.
        constraints: of the search.
        params: the trial's parameters; an objective among them is known from the start.
        earlier: the earlier trials that can be compared.
        epoch: the epoch of the rung.
        epochs: epochs of fine-tuning in all.
    """

    rule: Halving
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    params: Mapping[str, Any]
    earlier: Compared
    epoch: int
    epochs: int

    def goes_on(self, values: Mapping[str, float]) -> bool:
        """Whether the trial goes on at once; else it pauses.

        One that lacks an objective, or what a constraint is about, at the rung cannot be compared, and goes on.

        Args:
            values: metrics measured at the rung.
        """
        own = losses(self.objectives, self.params, values, self.constraints)
        if own is None:
            return True
        exact = exact_of(self.objectives, self.params, values)
        return bool(self.earlier.with_one(own, self.params, exact).going_on(self.rule)[-1])

    @property
    def cause(self) -> str:
        """Why a trial pauses, in one line."""
        at, fewest = f"paused at epoch {self.epoch} of {self.epochs}", self.rule.startup_trials
        if len(self.earlier.numbers) + 1 < fewest:
            return f"{at}, fewer than {fewest} trials to compare"
        return f"{at}, not among the best 1/{self.rule.eta:g}"


def bar_of(recipe: Recipe, state: SearchState, trial: TrialRecord) -> Bar | None:
    """What a trial is compared with; None if it does not pause, or its fine-tuning has no epoch for a rung.

    Args:
        recipe: the search, with the present settings of early stopping.
        state: holds the earlier trials.
        trial: compared with those before number `trial.known`, as its proposal knew them; a trial that was proposed
            while early stopping was off has no such number, and does not pause; nor does one that has been at the rung.
    """
    epochs = epochs_of(recipe, trial)
    epoch = recipe.stopping.rung_epoch(epochs)
    if trial.known is None or epoch is None or (trial.reopened and is_at_rung(recipe, trial)):
        return None
    promotion = Promotion(recipe)
    earlier = promotion.compared(state.trials, trial.number, trial.known)
    return Bar(promotion.rule, objectives_of(recipe), constraints_of(recipe), trial.params, earlier, epoch, epochs)
