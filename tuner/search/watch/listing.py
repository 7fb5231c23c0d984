"""The searches of a store, one line each, read only from their ledgers, so that hundreds take seconds.

Reading a YAML recipe takes longer than reading a ledger; the first event of each run holds the recipe too.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from tuner.qpm.metrics.table import METRICS
from tuner.search.record.clock import entry_time
from tuner.search.record.events import Event, Started
from tuner.search.record.fields import clean
from tuner.search.record.holder import is_gone, short
from tuner.search.record.home import searches
from tuner.search.record.restoration import SearchState, restore
from tuner.store import Ledger, MissingKeyError, Store
from tuner.store.store import for_each
from tuner.store.tenure import MOST_BYTES, read_tenure


@dataclass(frozen=True)
class SearchLine:
    """The summary of one search.

    Attributes:
        name: its name.
        data: its data set; empty if unknown.
        ended: trials that have ended.
        budget: total of trials that the last run was asked for; None if unknown.
        best: the best value of each objective among the complete trials.
        last_event_s: unix seconds of the last event; None where there is none.
        driver: its current driver, such as "lab7 pid 4711"; empty if it has none.
        damaged: number of ignored entries in the ledger.
    """

    name: str
    data: str = ""
    ended: int = 0
    budget: int | None = None
    best: Mapping[str, float] = field(default_factory=dict)
    last_event_s: float | None = None
    driver: str = ""
    damaged: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


def list_lines(store: Store) -> list[SearchLine]:
    """All searches in a store, by name; folders whose names are not valid search names are skipped.

    Raises:
        StoreError: the store cannot be read.
    """
    return for_each(store, lambda name: read_line(store, name), searches(store))


def read_line(store: Store, name: str) -> SearchLine:
    """The summary of one search."""
    ledger = Ledger(store, name)
    entries = ledger.entries()
    accepted: list[Event] = []
    state = restore(entries, None, ledger.damaged, accepted.append, ledger.tokens)
    recipe = next((event.recipe for event in reversed(accepted) if isinstance(event, Started)), {})
    data = recipe.get("data")
    return SearchLine(
        name,
        clean(str(data.get("name", ""))) if isinstance(data, dict) else "",
        sum(state.counts().values()),
        state.budget,
        _best(state, recipe.get("objectives")),
        entry_time(entries[-1][0]) if entries else None,
        driver_of(store, name),
        len(ledger.warnings) + sum(not damage.settled for damage in state.damage),
    )


def _best(state: SearchState, objectives: object) -> dict[str, float]:
    """The best value of each objective; objectives unknown to this version are left out."""
    best = {}
    for entry in objectives if isinstance(objectives, list) else ():
        name, _, direction = str(entry).partition(":")
        if not (name.isascii() and name.isidentifier()):  # the ledger is untrusted input
            continue
        sizes = [t.params.get(name, t.values.get(name)) for t in state.finished() if t.outcome == "complete"]
        values = [value for value in sizes if isinstance(value, int | float)]
        if values:
            upwards = (direction or (METRICS[name].direction if name in METRICS else "min")) == "max"
            best[name] = max(values) if upwards else min(values)
    return best


class Driver(NamedTuple):
    """The process that holds a search, as its lease says.

    Attributes:
        name: such as "lab7 pid 4711".
        silent_s: seconds since its last sign of life, by the store's clock.
        ttl_s: seconds without one after which another driver may take over.
    """

    name: str
    silent_s: float
    ttl_s: float

    @property
    def is_silent(self) -> bool:
        """Whether it may have died."""
        return self.silent_s > self.ttl_s


def driver_at(store: Store, name: str) -> Driver | None:
    """The holder of the lease, unless that process is known to have died."""
    key = f"searches/{name}/lease.json"
    try:
        stat = store.stat(key)
        if stat is None or stat.size > MOST_BYTES:
            return None
        tenure = read_tenure(store.get(key))
    except MissingKeyError:
        return None
    if tenure.released or is_gone(tenure.holder):
        return None
    return Driver(short(tenure.holder), store.now() - stat.modified, tenure.ttl_s)


def driver_of(store: Store, name: str) -> str:
    """The same as text; empty where there is none."""
    driver = driver_at(store, name)
    if driver is None:
        return ""
    return f"{driver.name} (silent for {driver.silent_s:.0f} s)" if driver.is_silent else driver.name
