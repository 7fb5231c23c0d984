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
"""What an event may take; the largest there are hold a recipe of some kilobytes."""

_FEW = 3
"""So many events of the coming years, if nobody has refused them yet, speak against this machine's clock."""

_YEARS_NS = 10 * 365 * 24 * 3600 * 10**9

_KEY = re.compile(r"(?P<time_ns>\d{20})-(?P<digest>[0-9a-f]{16})\.json", re.ASCII)
_STRAY = "is not an entry of a ledger"


class Ledger:
    """The append-only record of a search; safe to append to from many threads, processes and machines.

    Order is by time of appending. Clocks of machines differ, so an event is never dated before the last one
    its writer has read or written: what a driver appends after a restart comes after what it restored.

    A driver writes under its lease, from `begin` to `end`. The ledger marks its events with the lease's token, and
    leaves out, and names, what a driver wrote that had lost the search.

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
        """What the last `read` left out, and why: one sentence for each entry."""
        self.damaged: list[str] = []
        """The keys of what the last `read` left out since it holds no event that can count, in order."""
        self.tokens: dict[str, str] = {}
        """Of the drivers that wrote what the last `read` returned, by key; those of earlier versions had none."""
        self._entries: dict[str, bytes] = {}
        self._n_copied: int | None = None  # how many of them the snapshot holds; None: not looked yet
        self._verdict = judge({}, 0)
        self._last_ns = 0
        self._changing, self._reading, self._appending = threading.Lock(), threading.RLock(), threading.Lock()
        self._lease: Lease | None = None
        self._own: dict[str, Any] | None = None  # what the first event of this driver's turn says besides
        self._opened = False

    def __reduce__(self) -> tuple[type["Ledger"], tuple[Store, str, int]]:
        """Travel by store and name."""
        return Ledger, (self.store, self.prefix.split("/")[1], self.compact_every)

    def append(self, event: dict[str, Any]) -> None:
        """Add an event; when this returns it is in the store, and a driver's event counts.

        Args:
            event: JSON; finite numbers only.

        Raises:
            UsageError: the event is not JSON.
            LeaseHeldError: this driver has lost the search; nothing is written, or nobody can say whether it counts.
            TunerError: the store cannot take it.
        """
        lease = self._lease
        if lease is None:
            self._append(event)
            return
        with self._appending:  # one after the other: what is dated later is written later
            lease.check()
            opening = {} if self._opened or self._own is None else self._own
            self._append({**event, "token": lease.token, "term": lease.term, **opening})
            self._opened = True
            lease.check()  # who follows reads what is there by now; what took longer than the lease may not count

    def begin(self, lease: Lease) -> list[dict[str, Any]]:
        """Begin a driver's turn: read everything; what earlier drivers write from now on does not count.

        So does this ledger see it at once, and all others with the first event of the turn.

        Raises:
            LeaseHeldError: the search is lost already.
            TunerError: the clock of this machine cannot be right.
        """
        with self._reading:
            events = self.read()
            verdict = self._verdict
            lease.rise_above(verdict.newest_term)
        ahead = [name for name in verdict.opening.get("refused", ()) if time_ns(name) < time.time_ns() + _YEARS_NS]
        if len(ahead) >= _FEW:  # to refuse them for good would lose what a machine with a right clock wrote
            raise TunerError(
                f"{len(ahead)} events in {self.prefix} are dated more than a day ahead of the clock of "
                f"this machine, which says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
                "a clock that is right",
                "set this machine's clock by NTP",
            )
        self._own = {"token": lease.token, "term": lease.term, **verdict.opening}
        self._lease, self._opened = lease, False
        return events

    def end(self) -> None:
        """End the turn; what is written afterwards is that of another command."""
        self._lease = self._own = None

    def _append(self, event: dict[str, Any]) -> None:
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
        """All events that count, in order; what is left out is named in `warnings`.

        Reading again fetches only what is new.
        """
        return [event for _, event in self.entries()]

    def entries(self) -> list[tuple[str, dict[str, Any]]]:
        """As `read`, each event with its key."""
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
        """Copy all events into one object, so that a fresh `read` needs few requests instead of one an event.

        The events stay where they are and remain the truth; the copy can be deleted at any time.

        Args:
            at_least: do nothing while fewer events than this are missing from the copy.
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
        """How many entries of the copy are damaged. Raises `MissingKeyError` where there is no copy."""
        return len(self.store.get(self.snapshot_key).split(b"\n")) - len(self._snapshot())

    def _snapshot(self) -> dict[str, bytes]:
        """The sound entries of the copy; each carries its hash, so damage to the copy only costs time."""
        try:
            lines = self.store.get(self.snapshot_key).split(b"\n")
        except MissingKeyError:
            return {}
        pairs = (line.partition(b" ") for line in lines)
        entries = {self.prefix + name.decode(errors="replace"): data for name, _, data in pairs}
        return {key: data for key, data in entries.items() if self._problem(key, data) is None}

    def _problem(self, key: str, data: bytes) -> str | None:
        """What is wrong with an entry, None if nothing: its name carries the hash of its bytes."""
        name = _KEY.fullmatch(key.removeprefix(self.prefix))
        if name is None:
            return _STRAY
        if not data:
            return "is empty"
        if len(data) > MOST_BYTES:
            return f"has {len(data):,} bytes, where an event has at most {MOST_BYTES:,}"
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
