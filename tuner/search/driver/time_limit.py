"""The time limit of a search, summed over all its drivers and enforced even if something hangs."""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

# Stages running when the limit is reached have this long to end. Then they are cancelled; their trials stay open.
GRACE_S = 60.0

# The front is measured on test after the trials, for at most this long: without it the result is of little use.
MEASURE_S = 60.0

# By then everything that can end by itself has ended. Otherwise Ray Tune or one of its processes hangs: abandon it.
SPARE_S = 60.0

# The latest time for which an alarm can be set.
LATEST_S = 1e9

BELL = signal.SIGUSR2  # sent by another thread when the time is up


class TimeUp(KeyboardInterrupt):
    """Raised in the main thread, even if it is blocked; Ray lets a signal handler raise only KeyboardInterrupt."""


class TimeLimit:
    """The remaining time of a search.

    Args:
        limit_s: `budget.time_limit_s`; 0: none.
        spent_s: search time of earlier drivers.

    Attributes:
        kept_s: seconds before the limit that are kept for what comes after the trials; may change at any time.
    """

    def __init__(self, limit_s: float, spent_s: float) -> None:
        self.limit_s, self.kept_s = limit_s, 0.0
        self._until_s = time.monotonic() + limit_s - spent_s if limit_s else math.inf

    @property
    def left_s(self) -> float:
        """Seconds left; negative once it has passed."""
        return self._until_s - self.kept_s - time.monotonic()

    @property
    def reached(self) -> bool:
        """Whether no new work may start."""
        return self.left_s <= 0.0

    @property
    def overdue(self) -> bool:
        """Whether running stages are to be cancelled."""
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
        """Raise TimeUp in a block that is overdue; does nothing outside the main thread."""
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
                if rung.is_set():  # Ray raises its own exception instead
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
    """SIGALRM after the given seconds, unless the block has ended; restores a previous timer afterwards."""
    began_s = time.monotonic()
    due_s, _ = signal.setitimer(signal.ITIMER_REAL, after_s)
    try:
        yield
    finally:
        rest_s = max(due_s - (time.monotonic() - began_s), 1e-3) if due_s else 0.0
        signal.setitimer(signal.ITIMER_REAL, rest_s)
