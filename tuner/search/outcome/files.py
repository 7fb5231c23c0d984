"""The derived files of a search: front, history, picture and report.

They can be deleted at any time; they are rebuilt from recipe and ledger.
"""

import io
from collections.abc import Callable
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq

from tuner.base.progress import Progress
from tuner.report.picture import render_front
from tuner.search.outcome.history import growth
from tuner.search.outcome.report import report_page
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState
from tuner.store import Store


def write_front(home: SearchHome, state: SearchState, put: Callable[[str, bytes], None]) -> None:
    """Write front.json, history.parquet and front.svg by `put`, which takes name and bytes."""
    view = home.front(state=state)
    put("front.json", view.to_json())
    rows = [asdict(row) for row in growth(state, view.objectives, home.stored()[0].budget.prices)]
    if rows:
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        put("history.parquet", buffer.getvalue())
    if view.members:
        points = view.points(state)
        chosen = next((p for p in points if state.pick is not None and p.trial == state.pick.trial), None)
        picture = render_front(points, view.objectives, picked=chosen, title=home.name, ranks=view.ranks)
        put("front.svg", picture.encode())


def put_file(store: Store, key: str, data: bytes, check: Callable[[], None]) -> None:
    """Write a file if `check` permits it; a driver that lost the search in the meantime writes nothing."""
    written = False
    while not written:
        found = store.stat(key)
        check()
        written = store.put_new(key, data) if found is None else store.replace(key, data, found.version) is not None


def write_files(
    home: SearchHome,
    state: SearchState,
    progress: Progress,
    check: Callable[[], None],
    report: Callable[[], str] | None = None,
) -> dict[str, str]:
    """Write front, history, picture and report, each if `check` permits it; returns their locations by name.

    Args:
        home: the search.
        state: of the search.
        progress: receives the step, and what is left out.
        check: raises if nothing may be written any more.
        report: gives the report; None: it is made here.
    """

    def put(name: str, data: bytes) -> None:
        put_file(home.store, home.key(name), data, check)

    with progress.step("writing front and report"):
        write_front(home, state, put)
        page = report_page(home, progress, state) if report is None else report()
        put("report.html", page.encode())
    found = {"report": "report.html", "front": "front.json", "picture": "front.svg"}
    return {name: home.address(file) for name, file in found.items() if home.store.stat(home.key(file))}
