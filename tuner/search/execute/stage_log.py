"""The log of one run of a stage: its last lines, in the store under logs/STAGE/KEY.txt, also while it runs.

It holds messages of the library, warnings, epochs and the traceback of an error. It is no part of the artifact, so a
result never depends on it, and a stage that failed has one too.
"""

import contextlib
import logging
import os
import socket
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import TextIO

from tuner.base.steps import repeated
from tuner.errors import TunerError
from tuner.search.record.fields import clean
from tuner.store import MissingKeyError, Store

MOST_LINES = 300
LONGEST = 1000  # characters of a line
PROGRAM_EVERY_S = 1.0  # between two lines about a program
LOCAL_S, REMOTE_S = 2.0, 10.0
"""Seconds between two versions of the log of a running stage, in a folder and over a network."""
MOST_BYTES = 4 * MOST_LINES * LONGEST

_log = logging.getLogger(__name__)


def log_key(stage: str, key: str) -> str:
    """The store key of a stage's log."""
    return f"logs/{stage}/{key}.txt"


def read_log(store: Store, stage: str, key: str) -> list[str]:
    """The lines of a stage's log, printable; empty: there is none.

    Raises:
        StoreError: the store cannot be read.
    """
    place = log_key(stage, key)
    try:
        stat = store.stat(place)
        if stat is None:
            return []
        if stat.size > MOST_BYTES:
            return [f"{place} has {stat.size:,} bytes, and is not read: at most {MOST_BYTES:,}"]
        text = store.get(place).decode(errors="replace")
    except MissingKeyError:
        return []
    return [clean(line) for line in text.splitlines()[-MOST_LINES:]]


class StageLog(logging.Handler):
    """Collects the last lines of a run."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._program_s = -PROGRAM_EVERY_S
        self._n_said = self._n_published = 0
        self._trouble = False

    def emit(self, record: logging.LogRecord) -> None:
        """A message of a library."""
        self.say(f"{record.levelname} {record.name}: {record.getMessage()}")

    def say(self, line: str) -> None:
        """One line, with the time in UTC."""
        self._n_said += 1
        self._lines.append(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {clean(line)[:LONGEST]}")

    def epoch(self, done: int, epochs: int, values: Mapping[str, float]) -> None:
        """An epoch has ended, or the program has progressed."""
        if not epochs:  # a program reports many times a second
            if time.monotonic() - self._program_s < PROGRAM_EVERY_S:
                return
            self._program_s = time.monotonic()
        told = " ".join(f"{name}={value:.5g}" for name, value in values.items() if isfinite(value))
        self.say(f"epoch {done}/{epochs} {told}" if epochs else f"program {told}")

    def publish(self, store: Store, stage: str, key: str) -> None:
        """Write it, if it has new lines; a store that refuses is told once, and does not change how the stage ends."""
        if self._n_published == (said := self._n_said):
            return
        try:
            store.put(log_key(stage, key), "".join(f"{line}\n" for line in list(self._lines)).encode())
        except TunerError as error:
            if not self._trouble:
                self._trouble = True
                _log.warning("the log of stage %s was not kept: %s", stage, error.what)
        self._n_published = said

    @contextlib.contextmanager
    def published(self, store: Store, stage: str, key: str) -> Iterator[None]:
        """Write it every few seconds for the length of a block, and at its end."""
        every_s = LOCAL_S if store.local_path("x") is not None else REMOTE_S
        try:
            with repeated(every_s, lambda: self.publish(store, stage, key)):
                yield
        finally:
            self.publish(store, stage, key)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Collect messages and warnings of this process for the length of a block; an error adds its traceback."""
        root, level, shown = logging.getLogger(), logging.getLogger("tuner").level, warnings.showwarning

        def warned(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            self.say(f"{category.__name__} {filename}:{lineno}: {message}")
            shown(message, category, filename, lineno, file, line)

        root.addHandler(self)
        logging.getLogger("tuner").setLevel(logging.INFO)
        warnings.showwarning = warned
        self.say(f"begins on {socket.gethostname()} pid {os.getpid()}")
        try:
            yield
        except BaseException:
            for line in traceback.format_exc().splitlines():
                self.say(line)
            raise
        finally:
            warnings.showwarning = shown
            logging.getLogger("tuner").setLevel(level)
            root.removeHandler(self)
