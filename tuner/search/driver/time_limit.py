"""The time limit of a search: search time over all its drivers, and an end even where something hangs."""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

# What runs when the limit is reached may end within this; then it is called off, and its trial stays open.
GRACE_S = 60.0

# Measuring the front on test follows the trials, since without it the result is of little use; for so long at most.
MEASURE_S = 60.0

# What ends by itself has ended by then. Else the work is left as it is: Ray Tune or one of its processes hangs.
SPARE_S = 60.0

# No alarm can be set for later; decades are as good as never.
LATEST_S = 1e9

BELL = signal.SIGUSR2  # by which another thread says that it is time


class TimeUp(KeyboardInterrupt):
    """Raised in the main thread, amid whatever it waits for; Ray lets a signal raise nothing but KeyboardInterrupt."""


class TimeLimit:
    """How much of a search's time is left in this driver's turn.

    Args:
        limit_s: `budget.time_limit_s`; 0: none.
        spent_s: search time of earlier turns.
    """

    def __init__(self, limit_s: float, spent_s: float) -> None:
        self.limit_s = limit_s
        self._until_s = time.monotonic() + limit_s - spent_s if limit_s else math.inf

    @property
    def left_s(self) -> float:
        """Seconds left; negative where it has been passed."""
        return self._until_s - time.monotonic()

    @property
    def reached(self) -> bool:
        """Whether nothing may begin any more."""
        return self.left_s <= 0.0

    @property
    def overdue(self) -> bool:
        """Whether what runs is to be called off."""
        return self.left_s <= -GRACE_S

    def told(self, ended: int) -> str:
        """What people read at the end."""
        trials = f"{ended} {'trial' if ended == 1 else 'trials'}"
        return (
            f"time limit of {self.limit_s:,.15g} s reached after {trials}; "
            "run with a larger budget.time_limit_s to go on"
        )

    @contextlib.contextmanager
    def enforced(self) -> Iterator[None]:
        """Raise TimeUp in a block of work in the main thread that should have ended long ago; elsewhere nothing."""
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
    """Raise TimeUp in the block that is enforced, from another thread, if there is one."""
    if callable(signal.getsignal(BELL)):
        os.kill(os.getpid(), BELL)


@contextlib.contextmanager
def _heard(number: signal.Signals, act: Callable[..., None]) -> Iterator[None]:
    """Answer a signal for the length of a block."""
    before = signal.signal(number, act)
    try:
        yield
    finally:
        signal.signal(number, before or signal.SIG_DFL)  # None: set by a library, by none of Python's means


@contextlib.contextmanager
def _timer(after_s: float) -> Iterator[None]:
    """SIGALRM after so long, unless the block has ended; somebody else's goes on afterwards."""
    began_s = time.monotonic()
    due_s, _ = signal.setitimer(signal.ITIMER_REAL, after_s)
    try:
        yield
    finally:
        rest_s = max(due_s - (time.monotonic() - began_s), 1e-3) if due_s else 0.0
        signal.setitimer(signal.ITIMER_REAL, rest_s)
