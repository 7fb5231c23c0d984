"""The ledger: the append-only log of a search, one small JSON object per event.

searches/<name>/ledger/<time, ns>-<hash of the event>.json    the source of truth
searches/<name>/ledger.snapshot                               a copy of many events, read in one request
"""

import contextlib
import hashlib
import json
import re
import threading
import time
from datetime import UTC, datetime
from typing import Any

from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.errors import TunerError, UsageError
from tuner.store.errors import MissingKeyError
from tuner.store.fencing import judge, time_ns, unmarked
from tuner.store.lease import Lease
from tuner.store.names import check_name
from tuner.store.store import Store, for_each

MOST_BYTES = 4_000_000
"""Maximum size of an event; the largest ones in practice contain a recipe of a few kilobytes."""

_FEW = 3
"""This many events dated years ahead, and not refused by an earlier driver, mean that this machine's clock is wrong."""

_YEARS_NS = 10 * 365 * 24 * 3600 * 10**9

_KEY = re.compile(r"(?P<time_ns>\d{20})-(?P<digest>[0-9a-f]{16})\.json", re.ASCII)
_STRAY = "is not a ledger entry"


class Ledger:
    """The append-only log of a search; safe for concurrent appends from threads, processes and machines.

    Events are ordered by time of appending. Clocks of machines differ, so an event is never dated before the last one
    its writer has read or written: events appended after a restart sort after the restored ones.

    A driver writes under its lease, from `begin` to `end`. The ledger marks its events with the lease's token. Reading
    ignores events that a driver wrote after losing the search, and lists them in `warnings`.

    Args:
        store: holds the search.
        search: name of the search.
        compact_every: compact after this many appends on average, so that a new reader has few single events to
            fetch, however many there are and from however many writers; 0: never.

    Raises:
        UsageError: the name is invalid.
    """

    def __init__(self, store: Store, search: str, compact_every: int = 100) -> None:
        self.store = store
        self.compact_every = compact_every
        self.prefix = f"searches/{check_name(search)}/ledger/"
        self.snapshot_key = f"searches/{search}/ledger.snapshot"
        self.warnings: list[str] = []
        """What the last `read` ignored, and why: one sentence per entry."""
        self.damaged: list[str] = []
        """The keys of the entries that the last `read` ignored because they hold no usable event, in order."""
        self.tokens: dict[str, str] = {}
        """Lease tokens of the events that the last `read` returned, by key; earlier versions wrote none."""
        self._entries: dict[str, bytes] = {}
        self._n_copied: int | None = None  # number of them in the snapshot; None: not known yet
        self._verdict = judge({}, 0)
        self._last_ns = 0
        self._changing, self._reading, self._appending = threading.Lock(), threading.RLock(), threading.Lock()
        self._lease: Lease | None = None
        self._own: dict[str, Any] | None = None  # extra fields of the first event of this driver's turn
        self._opened = False

    def __reduce__(self) -> tuple[type["Ledger"], tuple[Store, str, int]]:
        """Pickle store and name only."""
        return Ledger, (self.store, self.prefix.split("/")[1], self.compact_every)

    def append(self, event: dict[str, Any]) -> None:
        """Add an event; on return it is in the store and, if written under a lease, valid.

        Args:
            event: JSON-serializable; finite numbers only.

        Raises:
            UsageError: the event is not JSON-serializable.
            LeaseHeldError: this driver has lost the search; the event was not written, or may be ignored by readers.
            TunerError: the store cannot be written to.
        """
        lease = self._lease
        if lease is None:
            self._append(event)
            return
        with self._appending:  # serialized, so that events are written in the order of their dates
            lease.check()
            opening = {} if self._opened or self._own is None else self._own
            self._append({**event, "token": lease.token, "term": lease.term, **opening})
            self._opened = True
            lease.check()  # a successor may ignore an event that took longer to write than the lease

    def begin(self, lease: Lease) -> list[dict[str, Any]]:
        """Begin a driver's turn: read everything; later writes of earlier drivers are ignored.

        This holds for this object at once, and for all other readers from the first event of the turn on.

        Raises:
            LeaseHeldError: the search has been lost already.
            TunerError: this machine's clock is wrong.
        """
        with self._reading:
            events = self.read()
            verdict = self._verdict
            lease.rise_above(verdict.newest_term)
        ahead = [name for name in verdict.opening.get("refused", ()) if time_ns(name) < time.time_ns() + _YEARS_NS]
        if len(ahead) >= _FEW:  # refusing them would lose events of a machine whose clock is right
            raise TunerError(
                f"{len(ahead)} events in {self.prefix} are dated more than a day ahead of the clock of "
                f"this machine, which says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
                "a correct clock",
                "set this machine's clock by NTP",
            )
        self._own = {"token": lease.token, "term": lease.term, **verdict.opening}
        self._lease, self._opened = lease, False
        return events

    def end(self) -> None:
        """End the turn; later events are written without the lease."""
        self._lease = self._own = None

    def _append(self, event: dict[str, Any]) -> None:
        try:
            data = json.dumps(event, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"an event of the ledger cannot be written: {error}",
                "JSON: strings, finite numbers, booleans, null, lists and dictionaries",
                "convert the values before appending",
            ) from error
        if len(data) > MOST_BYTES:
            raise UsageError(
                f"an event of the ledger has {len(data):,} bytes", f"at most {MOST_BYTES:,}", "keep less in the event"
            )
        while not self.store.put_new(key := f"{self.prefix}{self._next_ns():020d}-{_digest(data)}.json", data):
            pass  # another writer appended the same event in the same nanosecond: try the next one
        with self._changing:
            self._entries[key] = data
        if self.compact_every and int(_digest(key.encode()), 16) % self.compact_every == 0:
            with contextlib.suppress(TunerError):  # the event is stored; the snapshot only saves time
                self.compact()

    def read(self) -> list[dict[str, Any]]:
        """All valid events, in order; ignored ones are listed in `warnings`.

        Reading again fetches only new events.
        """
        return [event for _, event in self.entries()]

    def entries(self) -> list[tuple[str, dict[str, Any]]]:
        """Like `read`, with the key of each event."""
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
            problems |= {key: problem for key, data in found.items() if (problem := self._problem(key, data))}
            with self._changing:
                self._entries |= {key: data for key, data in found.items() if key not in problems}
            events: dict[str, dict[str, Any]] = {}
            for key in (key for key in keys if key not in problems):
                try:
                    events[key] = parse_object(self._entries[key], any_number=True)
                except InvalidJsonError as error:
                    problems[key] = str(error)
            self._verdict = judge({_name(key): event for key, event in events.items()}, time.time_ns(), self._own)
            dates = [time_ns(_name(key)) for key in events if _name(key) not in self._verdict.ahead]
            with self._changing:
                self._last_ns = max([self._last_ns, *dates[-1:]])
            self.damaged = sorted([*problems, *(key for key in events if _name(key) in self._verdict.ahead)])
            problems |= {key: problem for key in events if (problem := self._verdict.problem(_name(key)))}
            self.warnings = [f"{key} in {self.store.url} {problems[key]}" for key in sorted(problems)]
            counted = [(key, event) for key, event in events.items() if key not in problems]
            self.tokens = {key: token for key, event in counted if isinstance(token := event.get("token"), str)}
            return [(key, unmarked(event)) for key, event in counted]

    def compact(self, at_least: int = 1) -> None:
        """Copy all events into one object, so that a new reader needs few requests instead of one per event.

        The events stay in place and remain the source of truth; the copy can be deleted at any time.

        Args:
            at_least: do nothing if fewer events than this are missing from the copy.
        """
        with self._reading:
            self.entries()
            with self._changing:
                entries = list(self._entries.items())
            if len(entries) - (self._n_copied or 0) < at_least:
                return
            lines = [f"{key.removeprefix(self.prefix)} ".encode() + data for key, data in entries]
            self.store.put(self.snapshot_key, b"\n".join(lines))
            self._n_copied = len(lines)

    def unsound_copies(self) -> int:
        """Number of damaged entries in the snapshot. Raises `MissingKeyError` if there is no snapshot."""
        return len(self.store.get(self.snapshot_key).split(b"\n")) - len(self._snapshot())

    def _snapshot(self) -> dict[str, bytes]:
        """The undamaged entries of the snapshot; each carries its hash, so damage to the snapshot only costs time."""
        try:
            lines = self.store.get(self.snapshot_key).split(b"\n")
        except MissingKeyError:
            return {}
        pairs = (line.partition(b" ") for line in lines)
        entries = {self.prefix + name.decode(errors="replace"): data for name, _, data in pairs}
        return {key: data for key, data in entries.items() if self._problem(key, data) is None}

    def _problem(self, key: str, data: bytes) -> str | None:
        """What is wrong with an entry, or None; its name contains the hash of its bytes."""
        name = _KEY.fullmatch(key.removeprefix(self.prefix))
        if name is None:
            return _STRAY
        if not data:
            return "is empty"
        if len(data) > MOST_BYTES:
            return f"has {len(data):,} bytes; an event has at most {MOST_BYTES:,}"
        if name["digest"] != _digest(data):
            return "is damaged (its hash does not match)"
        return None

    def _get(self, key: str) -> bytes:
        try:
            return self.store.get(key)
        except MissingKeyError:
            return b""

    def _next_ns(self) -> int:
        with self._changing:
            self._last_ns = max(self._last_ns + 1, time.time_ns())
            return self._last_ns


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
