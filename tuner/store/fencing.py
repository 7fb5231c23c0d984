"""Which entries of a ledger count: not those of a driver that had lost the search, nor those of a day that is to come.

A driver that was stopped for longer than its lease, and wakes, may write although another one has carried on. So each
event of a driver bears the token and the term of its lease, and the first event of a turn says what its driver had read
of those before it: what they wrote besides does not count, whatever the clocks say. All readers see the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

AHEAD_NS = 24 * 3600 * 10**9
"""How far a clock may be ahead; beyond it an entry would drag the dates of all that follow along."""

OF_A_DRIVER = ("search", "trial", "outcome", "test")
"""Events that a driver of an earlier version wrote without a token; of other commands they name the `command`."""

MARKS = ("token", "term", "after", "follows", "refused")
"""What the ledger adds to the events of a driver, and takes away again."""

Event = Mapping[str, Any]
Rank = tuple[int, str]
EARLIER: Rank = (-1, "")
"""Term and token of all drivers of earlier versions, which had none."""

LOST = "was written by a driver that had lost the search (term {}), and is ignored"
LOST_EARLIER = "was written by a driver of an earlier version that had lost the search, and is ignored"
AHEAD = "is dated {}, more than a day ahead of the clock when it was first read, and is ignored"


@dataclass(frozen=True)
class Verdict:
    """Which entries do not count.

    Args:
        lost: names of those that a driver wrote after it had lost the search, with its rank.
        ahead: names of those dated too far ahead.
        opening: what the next driver has to say in its first event, so that everybody judges as it did.
        newest_term: the highest term there is.
    """

    lost: dict[str, Rank]
    ahead: set[str]
    opening: dict[str, Any]
    newest_term: int

    def problem(self, name: str) -> str | None:
        """Why an entry does not count, None if it does."""
        if name in self.ahead:
            return AHEAD.format(_date(time_ns(name)))
        if name in self.lost:
            return LOST_EARLIER if self.lost[name] == EARLIER else LOST.format(self.lost[name][0])
        return None


@dataclass(frozen=True)
class _Start:
    """The beginning of a driver's turn: what it had read of the drivers before it."""

    rank: Rank
    follows: str
    after: Mapping[str, str] = field(default_factory=dict)

    def has_read(self, rank: Rank, name: str) -> bool:
        """Whether it had read an entry; where the turn between the two is missing, dates are all that is left."""
        return name <= self.after[rank[1]] if rank[1] in self.after else name < self.follows


def judge(entries: Mapping[str, Event], now_ns: int, own: Event | None = None) -> Verdict:
    """Which entries count.

    Args:
        entries: the sound ones by name, in order.
        now_ns: the time.
        own: what the first event of this driver's turn says, though it may not be written yet.
    """
    ranks = {name: rank for name, event in entries.items() if (rank := _rank(event)) is not None}
    ahead = {name for name in entries if time_ns(name) > now_ns + AHEAD_NS}
    candidates = [(name, entries[name]) for name, rank in ranks.items() if rank != EARLIER and "after" in entries[name]]
    candidates.sort(key=lambda found: ranks[found[0]], reverse=True)
    listed: set[str] = set()
    starts: list[tuple[str, _Start]] = []  # those that count, the latest term first
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
    """The event as its driver gave it to the ledger."""
    return event if _rank(event) in (None, EARLIER) else {k: v for k, v in event.items() if k not in MARKS}


def time_ns(name: str) -> int:
    """When an entry was written, by its name."""
    return int(name[:20])


def _start(rank: Rank, event: Event) -> _Start:
    after, follows = event.get("after"), event.get("follows")
    read = {token: name for token, name in after.items() if isinstance(name, str)} if isinstance(after, dict) else {}
    return _Start(rank, follows if isinstance(follows, str) else "", read)


def _refused(event: Event) -> set[str]:
    names = event.get("refused")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _judge(rank: Rank, starts: list[tuple[str, _Start]]) -> _Start | None:
    """The start of the driver that followed a driver; None for the last one, which nobody followed."""
    return next((start for _, start in reversed(starts) if start.rank > rank), None)


def _rank(event: Event) -> Rank | None:
    """Term and token of the driver that wrote an event; None if it was no driver."""
    term, token = event.get("term"), event.get("token")
    if type(term) is int and isinstance(token, str) and term >= 0 and token:
        return term, token
    kind = event.get("event")
    return EARLIER if isinstance(kind, str) and kind in OF_A_DRIVER and "command" not in event else None


def _date(date_ns: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=date_ns // 10**9):%Y-%m-%d %H:%M} UTC"
