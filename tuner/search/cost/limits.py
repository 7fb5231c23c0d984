"""The limits of a budget: one rule object each, behind one small protocol. A search ends at whichever is first.

What is spent comes from the ledger, so limits hold over all drivers of a search.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tuner.recipe import Recipe
from tuner.search.cost.patience import Patience
from tuner.search.cost.spent import Spent, spent_by, spent_in
from tuner.search.record.state import SearchState


class Limit(Protocol):
    """One limit of a search."""

    def enough(self, state: SearchState, number: int) -> bool:
        """Whether trial `number` is not to be proposed any more; trials under way go on."""
        ...

    def reached(self, state: SearchState) -> bool:
        """Whether no stage may begin any more, neither of trials nor of confirmations."""
        ...

    def told(self, state: SearchState) -> str:
        """How it ended the search, with what to do to go on: a sentence."""
        ...


@dataclass
class SpendLimit:
    """A limit on CPU hours, GPU hours or money.

    Trials under way are finished, and the rule counts what they will presumably cost. So the limit is exceeded by
    little.

    Args:
        name: the field of the recipe.
        limit: the largest amount.
        unit: of the amount, as it is shown.
        of: the amount of what was spent.

    Attributes:
        kept: the amount that trials leave for confirming; may change at any time.
    """

    name: str
    limit: float
    unit: str
    of: Callable[[Spent], float]
    kept: float = 0.0

    def spent(self, state: SearchState) -> float:
        """The amount spent so far."""
        return self.of(spent_in(state))

    def enough(self, state: SearchState, number: int) -> bool:
        """Whether the amount does not suffice for another trial beside those under way."""
        ended = [trial for trial in list(state.trials.values()) if trial.outcome]
        one = self.of(sum((spent_by(trial.stages) for trial in ended), Spent())) / len(ended) if ended else 0.0
        under_way = len(state.open())
        return self.spent(state) + one * (under_way + 0.5) > self.limit - self.kept

    def reached(self, state: SearchState) -> bool:
        """Whether the whole amount is spent."""
        return self.spent(state) >= self.limit

    def told(self, state: SearchState) -> str:
        """The sentence for the end."""
        return (
            f"{self.name} of {self.limit:,.15g} {self.unit} is spent ({self.spent(state):,.3g} {self.unit}) after "
            f"{trials_told(state)}; run with a larger {self.name} to go on"
        )


def limits_of(recipe: Recipe) -> list[Limit]:
    """The limits of a recipe's budget besides its trials and its search time.

    Trials are counted where they are proposed (`LedgerSearcher`); search time has a clock (`driver.time_limit`).
    """
    budget, prices = recipe.budget, recipe.budget.prices
    found: list[Limit] = []
    if budget.cpu_hours:
        found.append(SpendLimit("budget.cpu_hours", budget.cpu_hours, "CPU h", lambda spent: spent.cpu_hours))
    if budget.gpu_hours:
        found.append(SpendLimit("budget.gpu_hours", budget.gpu_hours, "GPU h", lambda spent: spent.gpu_hours))
    if budget.money:
        found.append(SpendLimit("budget.money", budget.money, prices.currency, lambda spent: spent.money(prices)))
    if budget.patience:
        found.append(Patience.of(recipe))
    return found


def first_enough(limits: Sequence[Limit], state: SearchState, number: int) -> Limit | None:
    """The first limit under which trial `number` is not proposed any more."""
    return next((limit for limit in limits if limit.enough(state, number)), None)


def trials_told(state: SearchState) -> str:
    """The number of ended trials: "1 trial", "12 trials"."""
    n = len(state.finished())
    return f"{n} {'trial' if n == 1 else 'trials'}"
