"""The ledger: what happened to each trial, one small JSON object an event, never rewritten.

searches/<name>/ledger/<time, ns>-<hash of the event>.json    the truth
searches/<name>/ledger.snapshot                               a copy of many events, read in one go
"""

import contextlib
import hashlib
import json
import re
import threading
import time
from typing import Any

from tuner.errors import TunerError, UsageError
from tuner.store.entry import MOST_BYTES, NoEvent, read_object
from tuner.store.names import check_name
from tuner.store.store import MissingKey, Store, for_each

_KEY = re.compile(r"(?P<time_ns>\d{20})-(?P<digest>[0-9a-f]{16})\.json", re.ASCII)
_STRAY = "is not an entry of a ledger"


class Ledger:
    """The append-only record of a search; safe to append to from many threads, processes and machines.

    Order is by time of appending. Clocks of machines differ, so an event is never dated before the last one
    its writer has read or written: what a driver appends after a restart comes after what it restored.

    Args:
        store: where the search lives.
        search: its name.
        compact_every: one append in so many also compacts, so that a fresh reader finds few single events
            however many there are, and whoever wrote them; 0: never.

    Raises:
        UsageError: the name cannot be used.
    """

    def __init__(self, store: Store, search: str, compact_every: int = 100) -> None:
        self.store = store
        self.compact_every = compact_every
        self.prefix = f"searches/{check_name(search)}/ledger/"
        self.snapshot_key = f"searches/{search}/ledger.snapshot"
        self.warnings: list[str] = []
        """What the last `read` left out, and why: one sentence for each damaged entry."""
        self.damaged: list[str] = []
        """The keys of what the last `read` left out, in order."""
        self._entries: dict[str, bytes] = {}
        self._n_copied: int | None = None  # how many of them the snapshot holds; None: not looked yet
        self._last_ns = 0
        self._changing, self._reading = threading.Lock(), threading.RLock()

    def __reduce__(self) -> tuple[type["Ledger"], tuple[Store, str, int]]:
        """Travel by store and name."""
        return Ledger, (self.store, self.prefix.split("/")[1], self.compact_every)

    def append(self, event: dict[str, Any]) -> None:
        """Add an event; when this returns it is in the store.

        Args:
            event: JSON; finite numbers only.

        Raises:
            UsageError: the event is not JSON.
            TunerError: the store cannot take it.
        """
        try:
            data = json.dumps(event, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"an event of the ledger cannot be written: {error}",
                "JSON: text, finite numbers, booleans, null, lists and dictionaries",
                "convert the values before appending",
            ) from error
        if len(data) > MOST_BYTES:
            raise UsageError(
                f"an event of the ledger has {len(data):,} bytes", f"at most {MOST_BYTES:,}", "keep less in the event"
            )
        while not self.store.put_new(key := f"{self.prefix}{self._next_ns():020d}-{_digest(data)}.json", data):
            pass  # the same event in the same nanosecond by somebody else: take the next one
        with self._changing:
            self._entries[key] = data
        if self.compact_every and int(_digest(key.encode()), 16) % self.compact_every == 0:
            with contextlib.suppress(TunerError):  # the event is in the store; the copy only saves time and can wait
                self.compact()

    def read(self) -> list[dict[str, Any]]:
        """All events in order; what is damaged is left out and named in `warnings`."""
        return [event for _, event in self.entries()]

    def entries(self) -> list[tuple[str, dict[str, Any]]]:
        """As `read`, each event with the key of its entry. Reading again fetches only what is new."""
        with self._reading:
            keys = sorted(self.store.list(self.prefix))
            if keys and self._n_copied is None:
                snapshot = self._snapshot()
                self._n_copied = len(snapshot)
                with self._changing:
                    self._entries |= snapshot
            problems = {key: _STRAY for key in keys if not _KEY.fullmatch(key.removeprefix(self.prefix))}
            loose = [key for key in keys if key not in self._entries and key not in problems]
            found = dict(zip(loose, for_each(self.store, self._get, loose), strict=True))
            problems |= {key: problem for key, data in found.items() if (problem := _problem(key, data))}
            sound = [key for key in keys if key not in problems]
            with self._changing:
                self._entries |= {key: data for key, data in found.items() if key not in problems}
                self._last_ns = max([self._last_ns, *(_time_ns(key) for key in sound[-1:])])
            events: list[tuple[str, dict[str, Any]]] = []
            for key in sound:
                try:
                    events.append((key, read_object(self._entries[key])))
                except NoEvent as error:
                    problems[key] = str(error)
            self.damaged = sorted(problems)
            self.warnings = [f"{key} in {self.store.url} {problems[key]}" for key in self.damaged]
            return events

    def compact(self, at_least: int = 1) -> None:
        """Copy all events into one object, so that a fresh `read` needs few requests instead of one an event.

        The events stay where they are and remain the truth; the copy can be deleted at any time.

        Args:
            at_least: do nothing while fewer events than this are missing from the copy.
        """
        with self._reading:
            self.read()
            with self._changing:
                entries = list(self._entries.items())
            if len(entries) - (self._n_copied or 0) < at_least:
                return
            lines = [f"{key.removeprefix(self.prefix)} ".encode() + data for key, data in entries]
            self.store.put(self.snapshot_key, b"\n".join(lines))
            self._n_copied = len(lines)

    def unsound_copies(self) -> int:
        """How many entries of the copy are damaged. Raises `MissingKey` where there is no copy."""
        return len(self.store.get(self.snapshot_key).split(b"\n")) - len(self._snapshot())

    def _snapshot(self) -> dict[str, bytes]:
        """The sound entries of the copy; each carries its hash, so damage to the copy only costs time."""
        try:
            lines = self.store.get(self.snapshot_key).split(b"\n")
        except MissingKey:
            return {}
        pairs = (line.partition(b" ") for line in lines)
        entries = {self.prefix + name.decode(errors="replace"): data for name, _, data in pairs}
        return {key: data for key, data in entries.items() if _problem(key, data) is None}

    def _get(self, key: str) -> bytes:
        try:
            return self.store.get(key)
        except MissingKey:
            return b""

    def _next_ns(self) -> int:
        with self._changing:
            self._last_ns = max(self._last_ns + 1, time.time_ns())
            return self._last_ns


def _time_ns(key: str) -> int:
    return int(key.rpartition("/")[2][:20])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _problem(key: str, data: bytes) -> str | None:
    """What is wrong with an entry, None if nothing: its name carries the hash of its bytes."""
    name = _KEY.fullmatch(key.rpartition("/")[2])
    if name is None:
        return _STRAY
    if not data:
        return "is empty"
    if len(data) > MOST_BYTES:
        return f"has {len(data):,} bytes, where an event has at most {MOST_BYTES:,}"
    if name["digest"] != _digest(data):
        return "is damaged (its hash does not match)"
    return None
