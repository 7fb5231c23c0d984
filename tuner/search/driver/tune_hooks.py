"""What the driver hooks into Ray Tune: no table of its own, and a look at the instructions in each step."""

from typing import Any

from ray import tune

from tuner.search.propose.searcher import LedgerSearcher


class NoReport(tune.ProgressReporter):
    """Prevents Ray Tune from clearing a notebook cell to show its own table."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        """Never."""
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: str) -> None:
        """Nothing."""


class Follow(tune.Callback):
    """Has the searcher carry out instructions also while every trial runs, when Tune asks it for none."""

    def __init__(self, searcher: LedgerSearcher) -> None:
        self._searcher = searcher

    def on_step_begin(self, iteration: int, trials: Any, **_: Any) -> None:
        """Called by Tune several times a second, in the thread that asks for trials."""
        self._searcher.look()
