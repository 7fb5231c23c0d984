"""Search time: the time of drivers' turns, without the pauses between them. A clock that is wrong does not spoil it.

An event has two times. Its entry's key never goes back, for the ledger sees to that; its own goes back with the clock
of the machine. The same driver's agree with each other, so where two events do not, their keys say what passed.
"""

from typing import NamedTuple

FAR_S = 3600.0
"""How far the two times may move against each other, before one of them is wrong."""

_TAIL = len(f"{0:020d}-{0:016x}.json")  # a key ends like this, and begins with its nanoseconds


class Moment(NamedTuple):
    """When an event was: its own time and that of its entry, None where it has none."""

    time_s: float | None
    entry_s: float | None


def entry_time(key: str) -> float | None:
    """Unix seconds of an entry, by its key."""
    digits = key[-_TAIL : -_TAIL + 20]
    return int(digits) / 1e9 if len(digits) == 20 and digits.isdecimal() else None


class SearchClock:
    """Adds up search time, event after event."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._last: Moment | None = None

    def begin(self, at: Moment | None) -> None:
        """A turn begins; None: nobody knows when, its first event says."""
        self._last = at

    def count(self, at: Moment) -> None:
        """The driver has got this far."""
        self.elapsed_s += 0.0 if self._last is None else _between(self._last, at)
        self._last = at


def _between(before: Moment, after: Moment) -> float:
    """Seconds from one to the other."""
    by_time = _difference(before.time_s, after.time_s)
    by_entry = _difference(before.entry_s, after.entry_s)
    if by_time is None or (by_entry is not None and abs(by_entry - by_time) > FAR_S):
        return max(0.0, by_entry or 0.0)
    return max(0.0, by_time)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
