"""How library functions report progress: to a terminal, a log, a notebook, or nowhere.

Functions that take more than a moment have a parameter `progress`. Imports nothing heavy, since it is used before the
rest is loaded.
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from tuner.base import steps
from tuner.base.steps import Step, repeated

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LOG_EVERY_S = 10.0  # a log is read later, so it needs fewer lines


class LiveView(Protocol):
    """Something that changes while it is shown, such as the trials of a search."""

    def refresh(self) -> None:
        """Look again; called every REFRESH_S by all implementations, also by those that show nothing."""

    def line(self) -> str:
        """How it stands, in one line for a log."""

    def render(self, width: int) -> "RenderableType":
        """How it stands, as a table no wider than `width` cells."""


class Progress(Protocol):
    """Where a function reports how far it is. All methods may be called from any thread."""

    def say(self, line: str) -> None:
        """Report a fact, such as "feature bank 1f3a: 1797 images"."""

    def warn(self, line: str) -> None:
        """Report that something is wrong, though the work goes on."""

    def step(self, what: str) -> AbstractContextManager[Step]:
        """A step of the work, such as "writing the report": told when it begins and while it lasts."""

    def live(self, view: LiveView) -> AbstractContextManager[None]:
        """Show a view for the length of a block, as it changes."""


class Silent:
    """Shows nothing."""

    def say(self, line: str) -> None:
        """Nothing."""

    def warn(self, line: str) -> None:
        """Nothing."""

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """A step that nobody sees."""
        yield Step(what)

    @contextlib.contextmanager
    def live(self, view: LiveView) -> Iterator[None]:
        """Refresh the view, and show nothing."""
        with repeated(steps.REFRESH_S, view.refresh):
            yield


class LogProgress:
    """Writes to standard `logging`, at the levels INFO and WARNING.

    Args:
        logger: by default that of the package, `tuner`.
        every_s: seconds between two lines on the same step.
    """

    def __init__(self, logger: logging.Logger | None = None, every_s: float = LOG_EVERY_S) -> None:
        self._logger = logger or logging.getLogger("tuner")
        self._every_s = every_s

    def say(self, line: str) -> None:
        """Log it as information."""
        self._logger.info("%s", line)

    def warn(self, line: str) -> None:
        """Log it as a warning."""
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
        """A line every few seconds."""
        with repeated(steps.REFRESH_S, _Lines(self, view, self._every_s)):
            yield


class ConsoleProgress:
    """Prints on a rich console: a moving line and a live table on a terminal, plain lines elsewhere.

    Args:
        console: where to print.
    """

    def __init__(self, console: "Console") -> None:
        self.console = console

    def say(self, line: str) -> None:
        """Print it as it is."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def warn(self, line: str) -> None:
        """Print it in yellow."""
        self.console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """A spinner for as long as the step lasts on a terminal, a line every few seconds elsewhere."""
        from rich.live import Live
        from rich.spinner import Spinner
        from rich.text import Text

        step = Step(what)
        if not self._is_lively():
            self.say(f"{what} ...")
            with repeated(steps.LINE_EVERY_S, lambda: self.say(f"still {step}")):
                yield step
            return
        spinner = Spinner("line", Text(str(step)))
        stdout = not self.console.stderr  # what a command prints as its result must not be led to the other stream
        with (
            Live(spinner, console=self.console, refresh_per_second=4, transient=True, redirect_stdout=stdout),
            repeated(steps.REFRESH_S, lambda: spinner.update(text=Text(str(step)))),
        ):
            yield step

    @contextlib.contextmanager
    def live(self, view: LiveView) -> Iterator[None]:
        """A table that changes on a terminal, a line every few seconds elsewhere."""
        if not self._is_lively():
            with repeated(steps.REFRESH_S, _Lines(self, view, steps.LINE_EVERY_S)):
                yield
            return
        from rich.live import Live

        def update() -> None:
            view.refresh()
            shown.update(view.render(self.console.width))

        first = view.render(self.console.width)
        with (
            Live(first, console=self.console, refresh_per_second=4, transient=True) as shown,
            repeated(steps.REFRESH_S, update),
        ):
            yield

    def _is_lively(self) -> bool:
        """Whether a line on this console can be written over."""
        return self.console.is_terminal and not self.console.is_dumb_terminal


@contextlib.contextmanager
def never_silent(progress: Progress, who: str) -> Iterator[None]:
    """Say that a command is at work, every few seconds; for commands that are usually quick."""
    step = Step(f"{who} is at work")
    with repeated(steps.LINE_EVERY_S, lambda: progress.say(str(step))):
        yield


class _Lines:
    """Refreshes a view whenever it is called, and says its line every so many seconds."""

    def __init__(self, progress: Progress, view: LiveView, every_s: float) -> None:
        self._progress, self._view, self._every_s = progress, view, every_s
        self._due_s = 0.0

    def __call__(self) -> None:
        self._view.refresh()
        if time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + self._every_s
            self._progress.say(self._view.line())
