"""Is a search whole? Its recipe, ledger and files, and what its front refers to: each damage named, and what follows.

Nothing is written. The next start of a search does again what it misses; what it does not, a check says.
"""

import io
import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tuner.doctor.checks import Check
from tuner.errors import TunerError
from tuner.recipe import Recipe
from tuner.search.record.fields import clean
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome, open_home
from tuner.search.record.restoration import SearchState, tally
from tuner.store import MissingKeyError, Store

DERIVED = ("front.json", "history.parquet", "front.svg", "report.html")
REWRITTEN = "nothing: the next start writes it anew"
RESTORE = "restore the store's files from a copy"


def inspect_search(store: Store, name: str) -> Iterator[Check]:
    """Check everything a search consists of, one result after the other as they come.

    Raises:
        UsageError: there is no such search.
    """
    home = open_home(store, name)
    try:
        recipe, bank = home.stored()
        home.versions()
    except TunerError as error:
        yield Check("recipe", False, f"{error.what} (expected: {error.expected})", error.todo)
        return
    yield Check("recipe", True, f"{home.key('recipe.yaml')} is readable")
    state = home.state()
    yield from _ledger(home, state)
    yield from _snapshot(home)
    view = home.front(state=state)
    for file in DERIVED:
        yield from _derived(home, file, view)
    yield from _artifacts(home, state, view, bank)
    yield _next_start(home, state, recipe)


def _ledger(home: SearchHome, state: SearchState) -> Iterator[Check]:
    """What cannot be read, and what can be read but does not count."""
    todo = "nothing: the entry is left out, and what it said is done again"
    damaged = tuple(f"{key} in " for key in home.ledger.damaged)
    for warning in home.ledger.warnings:  # what a driver wrote that had lost the search is sound, and never counts
        yield Check("ledger", not warning.startswith(damaged), clean(warning), todo)
    for damage in state.damage:
        found = f"{damage.key}: {damage.reason}"
        if damage.settled:
            yield Check("ledger", True, clean(f"{found}; {damage.then}"))
        else:
            yield Check("ledger", False, clean(found), f"nothing: {damage.then}")
    if not home.ledger.warnings and not state.damage:
        ended = tally(state.counts()) or "none"
        yield Check("ledger", True, f"every entry is sound; trials ended: {ended}")


def _snapshot(home: SearchHome) -> Iterator[Check]:
    """The copy of the ledger, which is only read to save time."""
    key = home.ledger.snapshot_key
    try:
        unsound = home.ledger.unsound_copies()
    except MissingKeyError:
        yield Check("snapshot", True, "none yet")
        return
    if unsound:
        yield Check("snapshot", False, f"{key} is damaged ({unsound} entries)", "nothing: the entries themselves count")
    else:
        yield Check("snapshot", True, f"{key} is sound")


def _derived(home: SearchHome, file: str, view: FrontView) -> Iterator[Check]:
    """A file that can be made again from the ledger."""
    try:
        data = home.store.get(home.key(file))
    except MissingKeyError:
        yield Check("files", True, f"{file} is not there; a driver writes it at its end")
        return
    try:
        _read_derived(file, data)
    except (ValueError, RecursionError, KeyError, TypeError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if isinstance(error, ValueError) and str(error) else type(error).__name__
        yield Check("files", False, clean(f"{home.key(file)} is damaged ({reason})"), REWRITTEN)
        return
    stale = file == "front.json" and data != view.to_json()
    yield Check("files", True, f"{file} is readable" + (", but not what the ledger says now" if stale else ""))


def _read_derived(file: str, data: bytes) -> None:
    """Raises some error where the bytes are not such a file."""
    if file.endswith(".json"):
        if not isinstance(json.loads(data)["members"], list):
            raise ValueError("its members are no list")
    elif file.endswith(".parquet"):
        pq.read_table(io.BytesIO(data))
    else:
        text, kind = data.decode().strip().lower(), file.rpartition(".")[2]
        if not text.endswith(f"</{kind}>"):
            raise ValueError(f"its end is missing, </{kind}>")


def _artifacts(home: SearchHome, state: SearchState, view: FrontView, bank: str) -> Iterator[Check]:
    """The bank, and every stage of the members of the front."""
    wanted: dict[tuple[str, str], list[int]] = {("banks", bank): []}
    for member in view.members:
        for use in state.trials[member.trial].stages:
            wanted.setdefault((f"stages/{use.stage}", use.key), []).append(member.trial)
    wrong = 0
    for (kind, key), trials in wanted.items():
        if problem := _problem(home, kind, key):
            wrong += 1
            of = f" of trial {_listed(trials)}" if trials else ""
            yield Check("artifacts", False, clean(f"{kind}/{key}{of}: {problem}"), _what_to_do(home, kind))
    if not wrong:
        yield Check("artifacts", True, f"{len(wanted)} that the front rests on are whole")


def _problem(home: SearchHome, kind: str, key: str) -> str | None:
    """What is wrong with an artifact; in a store far away its files are not read, only their sizes are compared."""
    try:
        manifest = home.artifacts.find(kind, key)
        if manifest is None:
            return "it is missing"
        if home.store.local_path(manifest.folder) is not None:
            home.artifacts.fetch(kind, key)
            return None
        for name, file in manifest.files.items():
            found = home.store.stat(f"{manifest.folder}/{name}")
            if found is None or found.size != file.size:
                return f"{name} {'is missing' if found is None else f'has {found.size} bytes, not {file.size}'}"
    except TunerError as error:
        return error.what
    return None


def _what_to_do(home: SearchHome, kind: str) -> str:
    if kind == "banks":
        return "nothing: the next start extracts it anew, if the data are there"
    return (
        f"{RESTORE}, or start a search with the same recipe under another name: it makes the same stages again, "
        f"and {home.name} finds them"
    )


def _next_start(home: SearchHome, state: SearchState, recipe: Recipe) -> Check:
    """What `qpm-tuner search` would run."""
    trials = state.budget or recipe.budget.trials
    again = [number for number in state.missing(trials) if number in state.lost]
    fresh = len(state.missing(trials)) - len(again)
    parts = [
        f"trials run on: {_listed([trial.number for trial in state.open()])}" if state.open() else "",
        f"trials proposed again: {_listed(again)}" if again else "",
        f"new trials: {fresh}" if fresh else "",
    ]
    told = "; ".join(filter(None, parts)) or f"nothing is left to run of {trials} trials"
    if not home.is_of_this_code():
        told = "runs no trial, since the stages gave other results when the search started; it can be read"
    return Check("next start", True, told)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
