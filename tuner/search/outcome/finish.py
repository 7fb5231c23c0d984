"""What follows the trials: test metrics of the front's members, once, and the derived files of a search.

Derived files can be deleted at any time; they are rebuilt from recipe and ledger.
"""

import io
import math
import time
from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from tuner.base.steps import told
from tuner.errors import TunerError
from tuner.front import pareto
from tuner.recipe import Recipe, objectives_of
from tuner.report.picture import render_front
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.execute.broker_monitor import run_trials
from tuner.search.execute.plan import evaluation, plan_trial
from tuner.search.record.events import Measured
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState
from tuner.store import Store

Record = Callable[[Measured], None]


def measure_front(
    home: SearchHome,
    recipe: Recipe,
    bank: str,
    state: SearchState,
    broker: BrokerHandle,
    record: Record,
    console: Console,
    within_s: float = math.inf,
) -> None:
    """Measure the front's members on the test split, those that were not yet (DESIGN decision 5).

    Under `protocol: paper` the objectives are test metrics already, and nothing is left to do. What is not measured
    after `within_s` seconds is left to the next driver.
    """
    if recipe.protocol == "paper":
        return
    objectives = objectives_of(recipe)
    members = [p.trial for p in pareto.front(state.points(objectives), objectives) if not state.trials[p.trial].test]
    rows = []
    for trial in members:
        *made, _ = plan_trial(recipe, bank, state.trials[trial].params)
        rows.append([*made, evaluation(next(spec for spec in made if spec.row.gives_the_model), "test")])
    if not members:
        return
    with told(console, "measuring the front on the test split"):
        outcomes = run_trials(broker, members, rows, within_s)
    for trial, measured in zip(members, outcomes, strict=True):
        if measured.outcome == "halted":
            raise TunerError(
                f"trial {trial} could not be measured on the test split: {measured.cause}",
                "a store that answers and has room, and a sound feature bank",
                "fix the cause and run the same command again: what was measured is kept",
            )
        if measured.outcome == "complete":
            record(Measured(time.time(), trial, measured.values))


def hypervolume_history(state: SearchState, objectives: Iterable[pareto.Objective]) -> list[tuple[float, float]]:
    """(seconds of search time, hypervolume) after each complete trial."""
    axes = list(objectives)
    points = state.points(axes)
    times = [state.trials[point.trial].ended_s for point in points]
    return list(zip(times, pareto.history(points, axes), strict=True))


def write_front(home: SearchHome, state: SearchState, put: Callable[[str, bytes], None]) -> None:
    """Write front.json, history.parquet and front.svg by `put`, which takes name and bytes."""
    view = home.front(state=state)
    put("front.json", view.to_json())
    rows = [{"seconds": s, "hypervolume": v} for s, v in hypervolume_history(state, view.objectives)]
    if rows:
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        put("history.parquet", buffer.getvalue())
    if view.members:
        points = state.points(view.objectives)
        chosen = next((p for p in points if state.pick is not None and p.trial == state.pick.trial), None)
        picture = render_front(points, view.objectives, picked=chosen, title=home.name)
        put("front.svg", picture.encode())


def _replace(store: Store, key: str, data: bytes, check: Callable[[], None]) -> None:
    """Write a file as it was found before `check` let it; of a driver that is stopped in between nothing is written."""
    written = False
    while not written:
        found = store.stat(key)
        check()
        written = store.put_new(key, data) if found is None else store.replace(key, data, found.version) is not None


def write_files(home: SearchHome, state: SearchState, console: Console, check: Callable[[], None]) -> dict[str, str]:
    """Write front, history, picture and report, each once `check` lets it; returns where they are, by name."""
    from tuner.search.outcome.reporting import report_page

    def put(name: str, data: bytes) -> None:
        _replace(home.store, home.key(name), data, check)

    with told(console, "writing front and report"):
        write_front(home, state, put)
        put("report.html", report_page(home, console, state).encode())
    found = {"report": "report.html", "front": "front.json", "picture": "front.svg"}
    return {name: home.address(file) for name, file in found.items() if home.store.stat(home.key(file))}
