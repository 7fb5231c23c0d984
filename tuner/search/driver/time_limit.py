"""The time limit of a search: search time over all its drivers, enforced even if something hangs."""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

# What runs when the limit is reached has this long to end. Then it is cancelled, and its trial stays open.
GRACE_S = 60.0

# The front is measured on test after the trials, for at most this long: without it the result is of little use.
MEASURE_S = 60.0

# What can end by itself has ended by then. Otherwise Ray Tune or one of its processes hangs, and is abandoned.
SPARE_S = 60.0

# No alarm can be set for later; decades are as good as never.
LATEST_S = 1e9

BELL = signal.SIGUSR2  # by which another thread says that it is time


class TimeUp(KeyboardInterrupt):
    """Raised in the main thread, whatever it waits for; Ray lets a signal raise nothing but KeyboardInterrupt."""


class TimeLimit:
    """How much of a search's time is left to this driver.

    Args:
        limit_s: `budget.time_limit_s`; 0: none.
        spent_s: search time of earlier drivers.
    """

    def __init__(self, limit_s: float, spent_s: float) -> None:
        self.limit_s = limit_s
        self._until_s = time.monotonic() + limit_s - spent_s if limit_s else math.inf

    @property
    def left_s(self) -> float:
        """Seconds left; negative once it has passed."""
        return self._until_s - time.monotonic()

    @property
    def reached(self) -> bool:
        """Whether nothing new may begin."""
        return self.left_s <= 0.0

    @property
    def overdue(self) -> bool:
        """Whether what still runs is to be cancelled."""
        return self.left_s <= -GRACE_S

    def told(self, ended: int) -> str:
        """The sentence for the end of the search."""
        trials = f"{ended} {'trial' if ended == 1 else 'trials'}"
        return (
            f"time limit of {self.limit_s:,.15g} s reached after {trials}; "
            "run with a larger budget.time_limit_s to go on"
        )

    @contextlib.contextmanager
    def enforced(self) -> Iterator[None]:
        """Raise TimeUp in a block that should have ended long ago; does nothing outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        rung = threading.Event()

        def end(*_: object) -> None:
            rung.set()
            raise TimeUp

        after_s = max(self.left_s, 0.0) + GRACE_S + MEASURE_S + SPARE_S
        with contextlib.ExitStack() as alarms:
            alarms.enter_context(_heard(BELL, end))
            if after_s < LATEST_S:
                alarms.enter_context(_heard(signal.SIGALRM, end))
                alarms.enter_context(_timer(after_s))
            try:
                yield
            except KeyboardInterrupt:
                if rung.is_set():  # Ray raises one of its own instead
                    raise TimeUp from None
                raise


def ring() -> None:
    """Raise TimeUp in the enforced block, if there is one; may be called from any thread."""
    if callable(signal.getsignal(BELL)):
        os.kill(os.getpid(), BELL)


@contextlib.contextmanager
def _heard(number: signal.Signals, act: Callable[..., None]) -> Iterator[None]:
    """Handle a signal for the length of a block."""
    before = signal.signal(number, act)
    try:
        yield
    finally:
        signal.signal(number, before or signal.SIG_DFL)  # None: set by C code of a library


@contextlib.contextmanager
def _timer(after_s: float) -> Iterator[None]:
    """SIGALRM after so many seconds, unless the block has ended; a timer set before goes on afterwards."""
    began_s = time.monotonic()
    due_s, _ = signal.setitimer(signal.ITIMER_REAL, after_s)
    try:
        yield
    finally:
        rest_s = max(due_s - (time.monotonic() - began_s), 1e-3) if due_s else 0.0
        signal.setitimer(signal.ITIMER_REAL, rest_s)
