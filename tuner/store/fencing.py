"""Decides which ledger entries are valid: not those of a driver that had lost its lease, nor those dated in the future.

A driver that was suspended for longer than its lease may resume and write although another driver has taken over. So
each event of a driver carries the token and the term of its lease (a fencing token). The first event of a driver's turn
records which events of earlier drivers it had read: any others of theirs are ignored, independently of clocks. All
readers come to the same result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

AHEAD_NS = 24 * 3600 * 10**9
"""Tolerated clock lead; an entry dated further ahead would push the dates of all later entries into the future too."""

OF_A_DRIVER = ("search", "trial", "outcome", "test")
"""Kinds of events that drivers of earlier versions wrote without a token; other commands' events have a `command`."""

MARKS = ("token", "term", "after", "follows", "refused")
"""Fields that the ledger adds to a driver's events on writing and removes on reading."""

Event = Mapping[str, Any]
Rank = tuple[int, str]
EARLIER: Rank = (-1, "")
"""Term and token assigned to drivers of earlier versions, which wrote none."""

LOST = "was written by a driver that had lost the search (term {}), and is ignored"
LOST_EARLIER = "was written by a driver of an earlier version that had lost the search, and is ignored"
AHEAD = "is dated {}, more than a day ahead of the clock when it was first read, and is ignored"


@dataclass(frozen=True)
class Verdict:
    """Which entries are ignored.

    Args:
        lost: names of those that a driver wrote after it had lost the search, with the driver's rank.
        ahead: names of those dated too far ahead.
        opening: fields of the next driver's first event, which make all readers reach the same verdict.
        newest_term: the highest term in the ledger.
    """

    lost: dict[str, Rank]
    ahead: set[str]
    opening: dict[str, Any]
    newest_term: int

    def problem(self, name: str) -> str | None:
        """Why an entry is ignored; None if it is valid."""
        if name in self.ahead:
            return AHEAD.format(_date(time_ns(name)))
        if name in self.lost:
            return LOST_EARLIER if self.lost[name] == EARLIER else LOST.format(self.lost[name][0])
        return None


@dataclass(frozen=True)
class _Start:
    """The start of a driver's turn: what it had read of earlier drivers' events."""

    rank: Rank
    follows: str
    after: Mapping[str, str] = field(default_factory=dict)

    def has_read(self, rank: Rank, name: str) -> bool:
        """Whether it had read an entry; decided by date if the turn between the two is missing."""
        return name <= self.after[rank[1]] if rank[1] in self.after else name < self.follows


def judge(entries: Mapping[str, Event], now_ns: int, own: Event | None = None) -> Verdict:
    """Decides which entries are valid.

    Args:
        entries: undamaged entries by name, in order.
        now_ns: current time in nanoseconds since the epoch.
        own: fields of the first event of this driver's turn, which may not be written yet.
    """
    ranks = {name: rank for name, event in entries.items() if (rank := _rank(event)) is not None}
    ahead = {name for name in entries if time_ns(name) > now_ns + AHEAD_NS}
    candidates = [(name, entries[name]) for name, rank in ranks.items() if rank != EARLIER and "after" in entries[name]]
    candidates.sort(key=lambda found: ranks[found[0]], reverse=True)
    listed: set[str] = set()
    starts: list[tuple[str, _Start]] = []  # valid ones, latest term first
    if own is not None:
        starts.append(("", _start((own["term"], own["token"]), own)))
        listed |= _refused(own)
    for name, event in candidates:
        start = _judge(ranks[name], starts)
        if name in ahead or name in listed or (start is not None and not start.has_read(ranks[name], name)):
            continue
        starts.append((name, _start(ranks[name], event)))
        listed |= _refused(event)
    new = sorted(ahead - listed)
    ahead |= listed & entries.keys()
    judges = {rank: _judge(rank, starts) for rank in set(ranks.values())}
    lost = {
        name: rank
        for name, rank in ranks.items()
        if name not in ahead and (start := judges[rank]) is not None and not start.has_read(rank, name)
    }
    opening: dict[str, Any] = {"follows": starts[0][0] if starts else "", "after": {}}
    for name, rank in ranks.items():
        if name not in ahead and name not in lost and (not starts or rank >= starts[0][1].rank):
            opening["after"][rank[1]] = name
    if new:
        opening["refused"] = new
    return Verdict(lost, ahead, opening, max((term for term, _ in ranks.values()), default=0))


def unmarked(event: dict[str, Any]) -> dict[str, Any]:
    """The event as the driver passed it to the ledger, without the fields that the ledger added."""
    return event if _rank(event) in (None, EARLIER) else {k: v for k, v in event.items() if k not in MARKS}


def time_ns(name: str) -> int:
    """Time of writing of an entry in nanoseconds since the epoch, from its name."""
    return int(name[:20])


def _start(rank: Rank, event: Event) -> _Start:
    after, follows = event.get("after"), event.get("follows")
    read = {token: name for token, name in after.items() if isinstance(name, str)} if isinstance(after, dict) else {}
    return _Start(rank, follows if isinstance(follows, str) else "", read)


def _refused(event: Event) -> set[str]:
    names = event.get("refused")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _judge(rank: Rank, starts: list[tuple[str, _Start]]) -> _Start | None:
    """The start of the driver that succeeded the given one; None for the last driver."""
    return next((start for _, start in reversed(starts) if start.rank > rank), None)


def _rank(event: Event) -> Rank | None:
    """Term and token of the driver that wrote an event; None if another command wrote it."""
    term, token = event.get("term"), event.get("token")
    if type(term) is int and isinstance(token, str) and term >= 0 and token:
        return term, token
    kind = event.get("event")
    return EARLIER if isinstance(kind, str) and kind in OF_A_DRIVER and "command" not in event else None


def _date(date_ns: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=date_ns // 10**9):%Y-%m-%d %H:%M} UTC"
