"""Search time: the time that drivers run, without the pauses between them, robust against wrong clocks.

An event has two times. The time in its entry's key never goes back, because the ledger ensures it; the event's own time
follows the machine's clock. For one driver the two differ by a constant; where they do not, the keys are used.
"""

from typing import NamedTuple

FAR_S = 3600.0
"""The largest drift between the two times before one of them counts as wrong."""

_TAIL = len(f"{0:020d}-{0:016x}.json")  # a key ends like this, and begins with its nanoseconds


class Moment(NamedTuple):
    """The time of an event: its own, and that of its entry, None if it has none."""

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
        """A run of a driver begins; None: at an unknown time, so its first event counts."""
        self._last = at

    def count(self, at: Moment) -> None:
        """The driver has recorded an event at this time."""
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
