"""Who drives a search now, by its lease."""

from typing import NamedTuple

from tuner.search.record.holder import is_gone, short
from tuner.store import MissingKeyError, Store
from tuner.store.tenure import MOST_BYTES, read_tenure


class CurrentDriver(NamedTuple):
    """The holder of a search's lease.

    Attributes:
        name: such as "lab7 pid 4711"; empty: the search has no driver.
        silent_s: seconds for which its heartbeat is overdue; 0: it is alive.
    """

    name: str = ""
    silent_s: float = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether it may have died."""
        return self.silent_s > 0.0

    def told(self) -> str:
        """In words, empty without a driver."""
        return f"{self.name} (silent for {self.silent_s:.0f} s)" if self.silent_s else self.name


def current_driver(store: Store, search: str) -> CurrentDriver:
    """The holder of the lease, unless it has released it or its process is known to have died."""
    key = f"searches/{search}/lease.json"
    try:
        stat = store.stat(key)
        if stat is None or stat.size > MOST_BYTES:
            return CurrentDriver()
        tenure = read_tenure(store.get(key))
    except MissingKeyError:
        return CurrentDriver()
    if tenure.released or is_gone(tenure.holder):
        return CurrentDriver()
    silent_s = store.now() - stat.modified
    return CurrentDriver(short(tenure.holder), silent_s if silent_s > tenure.ttl_s else 0.0)
