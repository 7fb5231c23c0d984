"""No silence: a step of the work is told as it begins, and again every few seconds for as long as it lasts.

On a terminal it is a line that moves, elsewhere plain lines. Imports nothing heavy: it speaks before the rest loads.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

# People begin to wonder after three seconds; a busy machine, and a library that holds the interpreter, are late by one.
LINE_EVERY_S = 1.5
REFRESH_S = 0.5


class Step:
    """A step under way.

    Args:
        what: it, such as "writing the report".
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._started = time.monotonic()
        self._detail = ""
        self._counting: tuple[float, int] | None = None

    def at(self, detail: str) -> None:
        """Say how far it is, in a few words."""
        self._detail = detail

    def count(self, done: int, total: int, unit: str = "images") -> None:
        """Say how far it is by a count; the rate is that of this process, whatever was done before it."""
        now = time.monotonic()
        since, before = self._counting = self._counting or (now, done)
        self._detail = f"{done:,} of {total:,} {unit}"
        if done > before:
            rate = (done - before) / max(now - since, 1e-3)
            self._detail += f", {rate:,.{0 if rate >= 10 else 1}f} {unit}/s, ETA {duration((total - done) / rate)}"

    def __str__(self) -> str:
        """The step, how far it is, and how long it has taken."""
        detail = f": {self._detail}" if self._detail else ""
        return f"{self.what}{detail}, {duration(time.monotonic() - self._started)}"


@contextlib.contextmanager
def told(console: Console, what: str) -> Iterator[Step]:
    """Tell a step when it begins and while it lasts.

    Args:
        console: where people read.
        what: the step, such as "writing the report".

    Yields:
        the step, to be told how far it is.
    """
    step = Step(what)
    if not is_lively(console):
        _say(console, f"{what} ...")
        with repeated(LINE_EVERY_S, lambda: _say(console, f"still {step}")):
            yield step
        return
    spinner = Spinner("line", Text(str(step)))
    stdout = not console.stderr  # what a command prints as its result must not be led to the other stream
    with (
        Live(spinner, console=console, refresh_per_second=4, transient=True, redirect_stdout=stdout),
        repeated(REFRESH_S, lambda: spinner.update(text=Text(str(step)))),
    ):
        yield step


@contextlib.contextmanager
def never_silent(console: Console, who: str) -> Iterator[None]:
    """Tell that a command is at work, for commands that are usually done before anybody wonders."""
    step = Step(f"{who} is at work")
    with repeated(LINE_EVERY_S, lambda: _say(console, str(step))):
        yield


def is_lively(console: Console) -> bool:
    """Whether a line on this console can be written over."""
    return console.is_terminal and not console.is_dumb_terminal


def duration(seconds: float) -> str:
    """A duration people read: 41 s, 12 min, 3.2 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def repeated(every_s: float, act: Callable[[], None]) -> Iterator[None]:
    """Do something again and again, in a thread of its own, until the block ends."""
    over = threading.Event()

    def run() -> None:
        with contextlib.suppress(OSError):  # nowhere to tell it, such as a full disk; what prints next says so
            while not over.wait(every_s):
                act()

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
