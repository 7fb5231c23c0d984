"""A step of the work and its progress in words, and actions repeated while it lasts.

`progress.py` shows steps. This module imports nothing heavy, since it is used before the rest is loaded.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

# People begin to wonder after three seconds; a busy machine, or a library that holds the interpreter, adds one.
LINE_EVERY_S = 1.5
LONGEST_S = 15.0  # a log has a line at least this often while anything runs
GROWS = 1.2
REFRESH_S = 0.5


class Step:
    """A step in progress.

    Args:
        what: name of the step, such as "writing the report".
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._started = time.monotonic()
        self._detail = ""
        self._counting: tuple[float, int] | None = None

    def at(self, detail: str) -> None:
        """Set the progress as a few words."""
        self._detail = detail

    def count(self, done: int, total: int, unit: str = "images", doing: str = "") -> None:
        """Set the progress as a count; the rate covers only the work since the first call.

        Args:
            done: how many are done.
            total: how many there are.
            unit: what they are.
            doing: what is done with them, such as "hashing", where the name of the step does not say so.
        """
        now = time.monotonic()
        since, before = self._counting = self._counting or (now, done)
        self._detail = f"{doing} {done:,} of {total:,} {unit}".lstrip()
        if done > before:
            rate = (done - before) / max(now - since, 1e-3)
            self._detail += f", {rate:,.{0 if rate >= 10 else 1}f} {unit}/s, ETA {duration((total - done) / rate)}"

    def recount(self, done: int, total: int, unit: str = "images", doing: str = "") -> None:
        """Begin a count anew, at `done`: its rate has nothing to do with that of an earlier one."""
        self._counting = None
        self.count(done, total, unit, doing)

    def __str__(self) -> str:
        """The step, its progress, and the elapsed time."""
        detail = f": {self._detail}" if self._detail else ""
        return f"{self.what}{detail}, {duration(time.monotonic() - self._started)}"


def duration(seconds: float) -> str:
    """A duration for display: 41 s, 12 min, 3.2 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


@contextlib.contextmanager
def repeated(every_s: float, act: Callable[[], None], most_s: float = 0.0) -> Iterator[None]:
    """Call a function again and again, in a thread, until the block ends.

    Args:
        every_s: seconds between two calls.
        act: the function.
        most_s: they grow further apart up to this, as in a log of hours; 0: they do not.
    """
    over = threading.Event()

    def run() -> None:
        wait_s = every_s
        with contextlib.suppress(OSError):  # such as a full disk; the next print reports it
            while not over.wait(wait_s):
                act()
                wait_s = max(wait_s, min(GROWS * wait_s, most_s))

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
