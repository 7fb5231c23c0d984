"""The listener of a solve, with a heartbeat: no silence longer than two seconds.

A heartbeat is the last moment again, with the stage at work as its source. It comes from a thread of its own, is not
logged, and nothing depends on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np

from tuner.qpm.program.solution import Moment

Progress = Callable[[Moment], None]

SILENCE_S = 1.0


class Listener:
    """Passes moments on, and repeats the last one while nothing new comes; a context manager.

    Args:
        progress: called with each Moment, never by two threads at once; None: no listener.

    Attributes:
        stage: what is going on, the source of the repeated moments.
        error: what `progress` raised; it is not called again, and `raise_error` brings it to the caller.
    """

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.stage = "start"
        self.error: BaseException | None = None
        self._last, self._noted_s = Moment(0.0, -np.inf, np.inf, self.stage), time.monotonic()
        self._told_s = self._noted_s
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self.progress is not None and self._thread is None:
            self._thread = threading.Thread(target=self._repeat, name="program progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def __call__(self, moment: Moment) -> None:
        """Pass a moment on; what the listener raises comes back to the caller."""
        with self._lock:
            self.note(moment)
            self._tell(moment)
        self.raise_error()

    def note(self, moment: Moment) -> None:
        """What the next heartbeat says; nothing is passed on now."""
        with self._lock:
            self._last, self._noted_s = moment, time.monotonic()

    def raise_error(self) -> None:
        """Raise what the listener raised, in whatever thread."""
        if self.error is not None:
            raise self.error

    def _tell(self, moment: Moment) -> None:
        self._told_s = time.monotonic()
        if self.progress is None or self.error is not None:
            return
        try:
            self.progress(moment)
        except BaseException as error:
            self.error = error

    def _repeat(self) -> None:
        while not self._ended.wait(SILENCE_S / 5):
            with self._lock:
                now = time.monotonic()
                if now - self._told_s >= SILENCE_S and not self._ended.is_set():
                    seconds = self._last.seconds + now - self._noted_s
                    self._tell(replace(self._last, seconds=seconds, source=self.stage, moved=False))


def listening(progress: Progress | None) -> AbstractContextManager[Listener]:
    """A listener for a block of work; one that listens already goes on when the block ends."""
    return nullcontext(progress) if isinstance(progress, Listener) else Listener(progress)
