"""Progress reporting of library functions: to a terminal, a log, a notebook, or nowhere.

Long-running functions have a parameter `progress`. This module imports nothing heavy, since it is used before the rest
is loaded.
"""

import contextlib
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from tuner.base import steps
from tuner.base.steps import Step, repeated

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LOG_EVERY_S = 10.0  # a log is read later, so it needs fewer lines


class LiveView(Protocol):
    """A view that changes while it is shown, such as the trials of a search."""

    def refresh(self) -> None:
        """Update the data; called every REFRESH_S by all implementations, including those that show nothing."""

    def news(self) -> list[str]:
        """What has happened since the last call, for a log: one line per event, usually none."""

    def render(self, width: int, height: int) -> "RenderableType":
        """The current state in at most `width` cells and, if that is possible, `height` lines."""


class Progress(Protocol):
    """Where a function reports its progress. All methods may be called from any thread."""

    def say(self, line: str) -> None:
        """Report a fact, such as "feature bank 1f3a: 1797 images"."""

    def warn(self, line: str) -> None:
        """Report a problem that does not stop the work."""

    def step(self, what: str) -> AbstractContextManager[Step]:
        """A step of the work, such as "writing the report", reported when it begins and while it lasts."""

    def live(self, view: LiveView) -> AbstractContextManager[None]:
        """Show a view, with updates, for the duration of the block."""


class Silent:
    """Shows nothing."""

    def say(self, line: str) -> None:
        """Nothing."""

    def warn(self, line: str) -> None:
        """Nothing."""

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """A step that is not shown."""
        yield Step(what)

    @contextlib.contextmanager
    def live(self, view: LiveView) -> Iterator[None]:
        """Refresh the view without showing it."""
        with repeated(steps.REFRESH_S, view.refresh):
            yield


class LogProgress:
    """Writes to standard `logging`, at the levels INFO and WARNING.

    Args:
        logger: default: the package's logger, `tuner`.
        every_s: seconds between two lines about the same step.
    """

    def __init__(self, logger: logging.Logger | None = None, every_s: float = LOG_EVERY_S) -> None:
        self._logger = logger or logging.getLogger("tuner")
        self._every_s = every_s

    def say(self, line: str) -> None:
        """Log it at level INFO."""
        self._logger.info("%s", line)

    def warn(self, line: str) -> None:
        """Log it at level WARNING."""
        self._logger.warning("%s", line)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """A line when the step begins, and more while it lasts."""
        step = Step(what)
        self.say(f"{what} ...")
        with repeated(self._every_s, lambda: self.say(f"still {step}")):
            yield step

    @contextlib.contextmanager
    def live(self, view: LiveView) -> Iterator[None]:
        """A line per event."""
        with _told(self, view):
            yield


class ConsoleProgress:
    """Prints on a rich console: a spinner and a live table on a terminal, plain lines elsewhere.

    Args:
        console: where to print.
    """

    def __init__(self, console: "Console") -> None:
        self.console = console

    def say(self, line: str) -> None:
        """Print it unchanged."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def warn(self, line: str) -> None:
        """Print it in yellow."""
        self.console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """A spinner while the step lasts on a terminal, a line every few seconds elsewhere."""
        from rich.live import Live
        from rich.spinner import Spinner
        from rich.text import Text

        step = Step(what)
        if not self._is_lively():
            self.say(f"{what} ...")
            with repeated(steps.LINE_EVERY_S, lambda: self.say(f"still {step}"), steps.LONGEST_S):
                yield step
            return
        spinner = Spinner("line", Text(str(step)))
        stdout = not self.console.stderr  # rich must not redirect a command's result to the other stream
        with (
            Live(spinner, console=self.console, refresh_per_second=4, transient=True, redirect_stdout=stdout),
            repeated(steps.REFRESH_S, lambda: spinner.update(text=Text(str(step)))),
        ):
            yield step

    @contextlib.contextmanager
    def live(self, view: LiveView) -> Iterator[None]:
        """A live table on a terminal, a line per event elsewhere."""
        if not self._is_lively():
            with _told(self, view):
                yield
            return
        from rich.live import Live

        def update() -> None:
            view.refresh()
            shown.update(view.render(self.console.width, self.console.height))

        first = view.render(self.console.width, self.console.height)
        with (
            Live(first, console=self.console, refresh_per_second=4, transient=True) as shown,
            repeated(steps.REFRESH_S, update),
        ):
            yield

    def _is_lively(self) -> bool:
        """Whether this console can overwrite a line."""
        return self.console.is_terminal and not self.console.is_dumb_terminal


@contextlib.contextmanager
def never_silent(progress: Progress, who: str) -> Iterator[None]:
    """Report every few seconds that a command is still working; for commands that are usually quick."""
    step = Step(f"{who} is at work")
    with repeated(steps.LINE_EVERY_S, lambda: progress.say(str(step)), steps.LONGEST_S):
        yield


@contextlib.contextmanager
def _told(progress: Progress, view: LiveView) -> Iterator[None]:
    """A line per event for the duration of a block, those of its last moments included."""
    lines = _Lines(progress, view)
    try:
        with repeated(steps.REFRESH_S, lines):
            yield
    finally:
        lines.tell()


class _Lines:
    """Refreshes a view whenever it is called, and reports its news."""

    def __init__(self, progress: Progress, view: LiveView) -> None:
        self._progress, self._view = progress, view

    def __call__(self) -> None:
        self._view.refresh()
        self.tell()

    def tell(self) -> None:
        """Report the news as of the last refresh."""
        for line in self._view.news():
            self._progress.say(line)
