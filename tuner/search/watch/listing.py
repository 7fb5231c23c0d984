"""The searches of a store, one line each, read only from their ledgers, so that hundreds take seconds.

Reading a YAML recipe takes longer than reading a ledger; the first event of each run holds the recipe too.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tuner.front import pareto
from tuner.front.pareto import Objective
from tuner.qpm.metrics.table import METRICS
from tuner.search.control.drivers import current_driver
from tuner.search.record.clock import entry_time
from tuner.search.record.events import Event, Started
from tuner.search.record.fields import clean
from tuner.search.record.home import begun_and_held
from tuner.search.record.restoration import SearchState, restore
from tuner.store import Ledger, Store
from tuner.store.store import for_each


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
        state: "starting" if its driver reads the data or extracts features before its first trial, "running", "paused",
            "complete", or "open" if it has no driver and is not complete.
        open: trials that have begun and not ended.
        front: number of members of the front.
        elapsed_s: search time, seconds.
        stages_s: time of the stages that its trials ran, seconds.
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
    state: str = "open"
    open: int = 0
    front: int = 0
    elapsed_s: float = 0.0
    stages_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


def list_lines(store: Store) -> list[SearchLine]:
    """All searches in a store, by name; folders whose names are not valid search names are skipped.

    Raises:
        StoreError: the store cannot be read.
    """
    begun, held = begun_and_held(store)
    lines = for_each(store, lambda name: read_line(store, name), begun)
    starting = [
        SearchLine(name, state="starting", driver=driver) for name in held if (driver := driver_of(store, name))
    ]
    return sorted([*lines, *starting], key=lambda line: line.name)


def read_line(store: Store, name: str) -> SearchLine:
    """The summary of one search."""
    ledger = Ledger(store, name)
    entries = ledger.entries()
    accepted: list[Event] = []
    state = restore(entries, None, ledger.damaged, accepted.append, ledger.tokens)
    recipe = next((event.recipe for event in reversed(accepted) if isinstance(event, Started)), {})
    data = recipe.get("data")
    driver, axes = driver_of(store, name), _axes(recipe.get("objectives"))
    return SearchLine(
        name,
        clean(str(data.get("name", ""))) if isinstance(data, dict) else "",
        sum(state.counts().values()),
        state.budget,
        _best(state, axes),
        entry_time(entries[-1][0]) if entries else None,
        driver,
        len(ledger.warnings) + sum(not damage.settled for damage in state.damage),
        _state(state, driver),
        len(state.open()),
        len(pareto.front(state.points(axes), axes)) if axes else 0,
        state.elapsed_s,
        sum(row["seconds"] for row in state.reuse().values()),
    )


def _state(state: SearchState, driver: str) -> str:
    """What a search does, in one word."""
    if driver:
        return "paused" if state.paused is not None else "running"
    complete = bool(state.budget) and not state.open() and not state.missing(state.budget or 0)
    return "complete" if complete else "open"


def _axes(objectives: object) -> list[Objective]:
    """The objectives in a ledger, which is untrusted; those that are unknown to this version count as sizes."""
    axes = []
    for entry in objectives if isinstance(objectives, list) else ():
        name, _, direction = str(entry).partition(":")
        if not (name.isascii() and name.isidentifier()):
            continue
        usual = METRICS[name].direction if name in METRICS else "min"
        axes.append(Objective(name, "max" if (direction or usual) == "max" else "min", 0.0, 1.0))
    return axes


def _best(state: SearchState, axes: list[Objective]) -> dict[str, float]:
    """The best value of each objective; those that no trial has are left out."""
    best = {}
    for axis in axes:
        sizes = [t.params.get(axis.name, t.values.get(axis.name)) for t in state.finished() if t.outcome == "complete"]
        if values := [value for value in sizes if isinstance(value, int | float)]:
            best[axis.name] = max(values) if axis.direction == "max" else min(values)
    return best


def driver_of(store: Store, name: str) -> str:
    """The holder of the lease in words, unless that process is known to have died."""
    return current_driver(store, name).told()
