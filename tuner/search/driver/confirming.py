"""The part of a driver's run that confirms the front: which runs are left, and running them."""

from collections.abc import Callable
from dataclasses import replace

from tuner.base.progress import Progress
from tuner.recipe import Recipe
from tuner.search.driver.ctrl_c import CONFIRMING
from tuner.search.driver.interrupts import Interrupts
from tuner.search.driver.spending import Spending
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.outcome.confirm import confirm, refuse_too_many_splits
from tuner.search.outcome.confirmation_plan import ConfirmationRun, members, missing_runs, told, within_share
from tuner.search.record.events import Confirmed, Event
from tuner.search.record.home import SearchHome
from tuner.search.record.searched_banks import Bank
from tuner.search.record.state import SearchState


class Confirming:
    """Repeats members of the front with other seeds and splits.

    Args:
        home: the search.
        recipe: says how often.
        bank: its feature bank.
        state: of the search, read at each call.
        spending: what may still be spent.
        only: a user's wish: the whole front, whatever the budget.
    """

    def __init__(
        self, home: SearchHome, recipe: Recipe, bank: Bank, state: SearchState, spending: Spending, *, only: bool
    ) -> None:
        self._home, self._recipe, self._bank, self._state = home, recipe, bank, state
        self._spending, self._only = spending, only

    def refuse(self) -> None:
        """Refuse what cannot be run.

        Raises:
            UsageError: the smallest class has too few images for so many splits.
        """
        refuse_too_many_splits(self._recipe, self._home, self._bank)

    def left(self) -> list[ConfirmationRun]:
        """The runs still to be done: of the whole front, or of what the search spends on it by itself."""
        if self._only:
            return missing_runs(self._recipe, self._bank, self._state, members(self._recipe, self._state))
        if self._spending.all_stopped() or not self._home.is_of_this_code():
            return []
        return missing_runs(self._recipe, self._bank, self._state, within_share(self._recipe, self._state))

    def run(
        self,
        broker: BrokerHandle,
        record: Callable[[Event], None],
        look: Callable[[], None],
        progress: Progress,
        interrupts: Interrupts,
        left_s: Callable[[], float | None] = lambda: None,
    ) -> bool:
        """Do them; returns whether there were any.

        Args:
            broker: runs the stages.
            record: appends an event to the ledger.
            look: called about once a second, and may stop the broker.
            progress: receives progress messages.
            interrupts: lets the first Ctrl-C end it gently.
            left_s: returns the seconds that the rest is expected to take; None: unknown.
        """
        runs = self.left()
        if not runs:
            return False
        self.refuse()
        progress.say(f"confirming the front: {told(runs, self._state)}")
        command = "confirm" if self._only else None

        def recorded(event: Confirmed) -> None:
            record(replace(event, command=command))

        with interrupts.gently(lambda: CONFIRMING):
            confirm(runs, broker, recorded, progress, look, left_s)
        return True
