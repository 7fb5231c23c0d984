"""The driver's side of the entries: a thread looks for new ones, so that a slow store does not hold up the search."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator

from tuner.base.steps import repeated
from tuner.errors import TunerError
from tuner.search.control.entries import Instruction, folder, numbers, read
from tuner.search.record.fields import clean
from tuner.store import Store

LOCAL_S, REMOTE_S = 1.0, 5.0
"""Seconds between two looks, into a folder and over a network."""
CLOCK_S = 1.0
"""S3 tells times in whole seconds."""


class Inbox:
    """New instructions of a search, in the order of their numbers.

    Args:
        store: of the search.
        search: its name.
        known: numbers of the entries that drivers have dealt with.
        warn: called with a line for each file that is no entry, and once per outage.
        since_s: when this driver began, by the store's clock; None: now.

    Attributes:
        old: numbers of the entries that were written before that.
    """

    def __init__(
        self,
        store: Store,
        search: str,
        known: Iterable[int],
        warn: Callable[[str], None],
        since_s: float | None = None,
    ) -> None:
        self._store, self._search, self._warn = store, search, warn
        self._known = set(known)
        self._strays: set[str] = set()
        self._waiting: list[Instruction] = []
        self._lock = threading.Lock()
        self._trouble = False
        self.every_s = LOCAL_S if store.local_path("x") is not None else REMOTE_S
        self.look()
        self.old = {
            instruction.number
            for instruction in self._waiting
            if since_s is None or instruction.written_s < since_s - CLOCK_S
        }

    def look(self) -> None:
        """Fetch new entries; an outage of the store is told, and the next look tries again."""
        try:
            found, strays = numbers(self._store, self._search)
            fresh = [read(self._store, self._search, number) for number in found if number not in self._known]
        except TunerError as error:
            if not self._trouble:
                self._warn(f"instructions cannot be read now ({error.what}); the search goes on and tries again")
            self._trouble = True
            return
        self._trouble = False
        with self._lock:
            self._known.update(found)
            self._waiting += [instruction for instruction in fresh if instruction is not None]
        for stray in (name for name in strays if name not in self._strays):
            self._strays.add(stray)
            self._warn(clean(f"{folder(self._search)}{stray} is no instruction, and is left out"))

    def take(self) -> list[Instruction]:
        """The instructions that have come since the last call."""
        with self._lock:
            taken, self._waiting = self._waiting, []
        return taken

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Look every few seconds for the length of a block."""
        with repeated(self.every_s, self.look):
            yield
