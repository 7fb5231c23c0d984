"""A driver's turn without Ray: the real searcher, proposer and ledger, stages that end at once with made-up values."""

import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tuner.recipe import Recipe, load_recipe
from tuner.search.execute.plan import StageSpec
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.searcher import LedgerSearcher
from tuner.search.record.events import Measured, Reopened, Started
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import apply
from tuner.search.stopping.bar import Bar
from tuner.search.stopping.reopening import to_reopen
from tuner.store import open_store

N_CLASSES = 10


class Broker:
    """In place of the actor: takes down which trials are handed out."""

    def __init__(self) -> None:
        self.ready: dict[int, Any] = {}
        self.bars: dict[int, Bar | None] = {}

    def expect(self, trial: int) -> None:
        """Nothing: no coordinator starts."""

    def hand_out(self, trial: int, stages: list[StageSpec] | None, bar: Bar | None = None) -> None:
        self.ready[trial], self.bars[trial] = stages, bar

    def forget(self, trial: int) -> None:
        """Nothing: nothing was kept."""


def recipe_of(*overrides: str) -> Recipe:
    """The digits recipe with eight trials, two at a time."""
    settled = ["dense.precision=float32", "finetune.precision=float32"]
    return load_recipe("digits", ["budget.trials=8", "budget.parallel=2", *settled, *overrides])


def begin(root: Path, *overrides: str) -> SearchHome:
    """A search that has begun, in a store of its own."""
    home = SearchHome(open_store(str(root)), "made-up")
    home.ledger.compact_every = 0
    home.start(recipe_of(*overrides), "bank")
    return home


def outcome_of(params: dict[str, Any], stages: list[Any]) -> dict[str, Any]:
    """What becomes of a trial: it follows from its parameters."""
    values = {"accuracy": 60 + params["n_features"] + math.sin(9 * params["l1"]), "n_images": 288.0}
    values["interpretability"] = 90 - 5 * params["features_per_class"] - params["l1"]
    uses = [{"stage": s.stage, "key": s.key, "reused": False, "seconds": 1.0, "saved_s": 0.0} for s in stages]
    ended = {"outcome": "complete", "stage": None, "cause": None, "values": values, "stages": uses, "seconds": 4.0}
    model = next(stage.key for stage in stages if stage.row.gives_the_model)
    program = {"objective": 3.5, "bound": 3.5, "gap": 0.0, "status": "optimal", "seconds": 0.1}
    return ended | {"model": model, "program": program, "remade": []}


def judged(outcome: dict[str, Any], bar: Bar | None) -> dict[str, Any]:
    """The same trial under early stopping: at the rung its accuracy lags, and its interpretability leads."""
    if bar is None:
        return outcome
    rung = {"accuracy": 0.9 * outcome["values"]["accuracy"], "interpretability": 95.0}
    rung["interpretability"] = (rung["interpretability"] + outcome["values"]["interpretability"]) / 2
    outcome |= {"rung": rung, "rung_epochs": [bar.epoch, bar.epochs]}
    if bar.goes_on(rung):
        return outcome
    return outcome | {"outcome": "pruned", "stage": "finetune", "cause": bar.cause, "values": {}, "model": None}


def turn(
    home: SearchHome,
    *overrides: str,
    ends: int = 10**6,
    enough: Any = None,
    reopen: bool = False,
    which: Callable[[Iterator[int]], int] = next,
) -> list[int]:
    """A driver's turn up to its end, or until so many trials have ended; returns those that it proposed.

    `enough` makes of the state what the searcher asks whether the budget suffices for no more proposals. With `reopen`
    it lets trials go on that the present settings of early stopping would not have ended, as drivers do. `which` says
    which of the trials under way ends next.
    """
    recipe, proposed = recipe_of(*overrides), []
    state = home.state(recipe)

    def record(event: Any) -> None:
        home.append(event)
        assert apply(state, event, state.elapsed_s) is None
        if event.kind == "trial":
            proposed.append(event.trial)

    if reopen:
        record(Reopened(time.time(), tuple(to_reopen(recipe, state))))
    record(Started(time.time(), recipe.to_dict(), {}))
    proposer, broker = Proposer(recipe, N_CLASSES), Broker()
    more = () if enough is None else (enough(state),)
    searcher = LedgerSearcher(recipe, "bank", state, proposer, record, broker, lambda: False, *more)
    names, running = (f"tune-{i}" for i in itertools.count()), dict[int, str]()
    name = next(names)
    while ends:
        while isinstance(given := searcher.suggest(name), dict):
            running[given["number"]], name = name, next(names)
        if not running:
            assert given == "FINISHED"
            break
        number = which(number for number in running if number in broker.ready)  # else the turn would hang
        stages = broker.ready.pop(number)
        outcome = None if stages is None else outcome_of(state.trials[number].params, stages)
        text = None if outcome is None else json.dumps(judged(outcome, broker.bars.pop(number)))
        searcher.on_trial_complete(running.pop(number), {"record": text})
        ends -= 1
    for number, trial in sorted(state.trials.items()):
        if trial.outcome == "complete" and not trial.test:
            record(Measured(time.time(), number, {"accuracy": trial.values["accuracy"] - 1}))
    return proposed


def same(found: SearchHome, expected: SearchHome) -> None:
    """Two searches have the same trials, and so the same front."""
    for name in ("params", "outcome", "values", "rung", "known", "model", "test"):
        trials, others = ({n: getattr(t, name) for n, t in h.state().trials.items()} for h in (found, expected))
        assert trials == others, name
    view, straight = found.front(), expected.front()
    assert sorted(view.members, key=lambda m: m.trial) == sorted(straight.members, key=lambda m: m.trial)
    assert (view.counts, view.ranks) == (straight.counts, straight.ranks)
    assert math.isclose(view.hypervolume, straight.hypervolume)  # summed in another order


Entries = list[tuple[str, bytes]]


def entries_of(home: SearchHome) -> Entries:
    """The bytes of a ledger, entry by entry."""
    return [(key, home.store.get(key)) for key in sorted(home.store.list(home.ledger.prefix))]


def retold(key: str, data: bytes) -> tuple[str, bytes]:
    """An entry that tells something else, under a name that agrees with its bytes."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/{name[:20]}-{hashlib.sha256(data).hexdigest()[:16]}.json", data


def copy_of(root: Path, entries: Entries, *overrides: str) -> SearchHome:
    """A search with these entries, in a store of its own."""
    home = begin(root, *overrides)
    for key, data in entries:
        home.store.put(key, data)
    return home
