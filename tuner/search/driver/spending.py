"""What a driver may still spend: search time, and the limits of the budget, with a share kept for confirming."""

from tuner.recipe import Recipe
from tuner.search.cost.limits import Limit, SpendLimit, first_enough, limits_of
from tuner.search.driver.time_limit import TimeLimit
from tuner.search.outcome.confirmation_plan import cost, missing_runs, seconds, within_share
from tuner.search.record.searched_banks import Bank
from tuner.search.record.state import SearchState
from tuner.search.stopping.promotion import promotions_left


class Spending:
    """The limits of one run of a driver.

    Args:
        recipe: the search, whose budget may change.
        bank: its feature bank.
        state: of the search, read at each call.
        only_confirm: the run is a user's wish, and has no limits.

    Attributes:
        limit: the search time of trials.
        whole_limit: that of everything.
    """

    def __init__(self, recipe: Recipe, bank: Bank, state: SearchState, *, only_confirm: bool = False) -> None:
        self._recipe, self._bank, self._state = recipe, bank, state
        limit_s = 0.0 if only_confirm else recipe.budget.time_limit_s
        self.limit, self.whole_limit = (TimeLimit(limit_s, state.elapsed_s) for _ in range(2))
        self._limits: list[Limit] = [] if only_confirm else limits_of(recipe)
        self._ended_by: Limit | None = None  # the limit under which no trial was proposed any more
        self.keep()

    def keep(self) -> None:
        """Trials leave as much of each limit as confirming will take, but not more than its share."""
        spending = [limit for limit in self._limits if isinstance(limit, SpendLimit)]
        if not (self.limit.limit_s or spending):
            return
        runs = missing_runs(self._recipe, self._bank, self._state, within_share(self._recipe, self._state))
        share = self._recipe.confirm.kept
        self.limit.kept_s = min(seconds(runs, self._state), share * self.limit.limit_s)
        for limit in spending:
            limit.kept = min(limit.of(cost(runs, self._state)), share * limit.limit)

    def enough(self, number: int) -> bool:
        """Whether a limit keeps trial `number` from being proposed."""
        found = first_enough(self._limits, self._state, number)
        self._ended_by = self._ended_by or found
        return found is not None

    def spent_out(self) -> bool:
        """Whether an amount does not suffice for a paused trial to go on after the last proposal."""
        spending = [limit for limit in self._limits if isinstance(limit, SpendLimit)]
        found = first_enough(spending, self._state, len(self._state.trials))
        self._ended_by = self._ended_by or found
        return found is not None

    def for_no_trial(self) -> bool:
        """Whether the budget suffices for no further trial; open ones go on while there is time."""
        if self.trials_stopped():
            return True
        if promotions_left(self._recipe, self._state) and not self.spent_out():
            return False
        new = self._state.missing(self._recipe.budget.trials)
        return bool(new and not self._state.open() and self.enough(new[0]))

    def trials_stopped(self) -> bool:
        """Whether no stage of a trial may begin any more."""
        return self.limit.reached or any(limit.reached(self._state) for limit in self._limits)

    def all_stopped(self) -> bool:
        """Whether nothing may begin any more, confirmation runs included."""
        return self.whole_limit.reached or any(limit.reached(self._state) for limit in self._limits)

    def told(self) -> str:
        """A sentence on the limit that has ended the search; empty if none has."""
        if self.limit.reached:
            return self.limit.told(len(self._state.finished()))
        ended_by = self._ended_by or next((limit for limit in self._limits if limit.reached(self._state)), None)
        return "" if ended_by is None else ended_by.told(self._state)
