"""What a search is expected to take: said before anything starts, and kept true while it runs."""

import time

from tuner.base.progress import Progress
from tuner.recipe import Recipe
from tuner.search.cost.forecast import Expected, Forecast
from tuner.search.cost.prepare import make_forecast
from tuner.search.cost.sizes import sizes_of_bank
from tuner.search.cost.texts import ends_early, expected_line
from tuner.search.record.home import SearchHome
from tuner.search.record.searched_banks import Bank
from tuner.search.record.state import SearchState


class Outlook:
    """The forecast of one run of a driver.

    Args:
        home: the search.
        recipe: with its budget.
        bank: its feature bank.
        state: of the search, read at each call.
        progress: receives what is said.
        began_s: when the run began, by `time.monotonic`.
    """

    def __init__(
        self, home: SearchHome, recipe: Recipe, bank: Bank, state: SearchState, progress: Progress, began_s: float
    ) -> None:
        self._home, self._recipe, self._bank, self._state = home, recipe, bank, state
        self._progress, self._began_s = progress, began_s
        self._forecast: Forecast | None = None

    def foresee(self) -> None:
        """Say what the search is expected to take; nothing, where the sizes of its data are unknown."""
        sizes = sizes_of_bank(self._home.artifacts, self._bank, self._recipe)
        if sizes is None:
            return
        self._forecast = make_forecast(self._home.artifacts, self._recipe, self._bank, sizes)
        found = self._forecast.expected(self._state)
        self._progress.say(expected_line(found, self._recipe))
        if told := ends_early(found, self._recipe):
            self._progress.say(told)

    def left_s(self) -> float | None:
        """Seconds that the rest is expected to take; None where that is unknown."""
        found = self.expected()
        return None if found is None else found.left_s

    def expected(self) -> Expected | None:
        """What the search is expected to take, now; None where that is unknown."""
        if self._forecast is None:
            return None
        now_s = self._state.elapsed_s + time.monotonic() - self._began_s
        return self._forecast.expected(self._state, now_s)
