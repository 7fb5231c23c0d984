"""Checks the integrity of a search: recipe, ledger, files and the artifacts of its front; reports any damage.

Nothing is written. The next start of a search recomputes most of what is missing; the report says what it does not.
"""

import contextlib
import io
import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tuner.doctor.checks import Check
from tuner.errors import TunerError
from tuner.features.bank_files import read_description
from tuner.recipe import Recipe
from tuner.search.record.fields import clean
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome, open_home
from tuner.search.record.restoration import SearchState, tally
from tuner.search.record.searched_banks import SearchedBanks
from tuner.search.stages import STAGES
from tuner.store import MissingKeyError, Store

DERIVED = ("front.json", "history.parquet", "front.svg", "report.html")
MISSING = "it is missing"
REWRITTEN = "nothing: the next start rewrites it"
RESTORE = "restore the store's files from a backup"


def inspect_search(store: Store, name: str) -> Iterator[Check]:
    """Check all parts of a search, yielding each result as it becomes available.

    Raises:
        UsageError: the search does not exist.
    """
    home = open_home(store, name)
    try:
        recipe, _ = home.stored()
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
    yield from _artifacts(home, state, view)
    yield _next_start(home, state, recipe)


def _ledger(home: SearchHome, state: SearchState) -> Iterator[Check]:
    """Entries that cannot be read, and readable ones that are ignored."""
    todo = "nothing: the entry is ignored, and the work it recorded is repeated"
    damaged = tuple(f"{key} in " for key in home.ledger.damaged)
    for warning in home.ledger.warnings:  # entries of a driver that had lost the search are undamaged but ignored
        yield Check("ledger", not warning.startswith(damaged), clean(warning), todo)
    for damage in state.damage:
        found = f"{damage.key}: {damage.reason}"
        if damage.settled:
            yield Check("ledger", True, clean(f"{found}; {damage.then}"))
        else:
            yield Check("ledger", False, clean(found), f"nothing: {damage.then}")
    if not home.ledger.warnings and not state.damage:
        ended = tally(state.counts()) or "none"
        yield Check("ledger", True, f"all entries are intact; finished trials: {ended}")


def _snapshot(home: SearchHome) -> Iterator[Check]:
    """The snapshot of the ledger, which only saves time."""
    key = home.ledger.snapshot_key
    try:
        unsound = home.ledger.unsound_copies()
    except MissingKeyError:
        yield Check("snapshot", True, "none yet")
        return
    if unsound:
        yield Check(
            "snapshot", False, f"{key} is damaged ({unsound} entries)", "nothing: the entries themselves are used"
        )
    else:
        yield Check("snapshot", True, f"{key} is intact")


def _derived(home: SearchHome, file: str, view: FrontView) -> Iterator[Check]:
    """A file that can be regenerated from the ledger."""
    try:
        data = home.store.get(home.key(file))
    except MissingKeyError:
        yield Check("files", True, f"{file} does not exist yet; a search writes it when it ends")
        return
    try:
        _read_derived(file, data)
    except (ValueError, RecursionError, KeyError, TypeError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if isinstance(error, ValueError) and str(error) else type(error).__name__
        yield Check("files", False, clean(f"{home.key(file)} is damaged ({reason})"), REWRITTEN)
        return
    stale = file == "front.json" and data != view.to_json()
    yield Check("files", True, f"{file} is readable" + (", but older than the ledger" if stale else ""))


def _read_derived(file: str, data: bytes) -> None:
    """Raise an error if the bytes are not a valid file of this kind."""
    if file.endswith(".json"):
        if not isinstance(json.loads(data)["members"], list):
            raise ValueError("its members are not a list")
    elif file.endswith(".parquet"):
        pq.read_table(io.BytesIO(data))
    else:
        text, kind = data.decode().strip().lower(), file.rpartition(".")[2]
        if not text.endswith(f"</{kind}>"):
            raise ValueError(f"its end is missing, </{kind}>")


def _artifacts(home: SearchHome, state: SearchState, view: FrontView) -> Iterator[Check]:
    """The feature bank, and every stage of the front's trials."""
    wanted: dict[tuple[str, str], list[int]] = {}
    bank = home.stored()[1]
    for key in [bank] if isinstance(bank, str) else _made(home, bank):
        wanted["banks", key] = []
        wanted |= {("shards", shard): [] for shard in _shards(home, key)}
    for member in view.members:
        for use in state.trials[member.trial].stages:
            wanted.setdefault((_kind(use.stage), use.key), []).append(member.trial)
    wrong = 0
    for (kind, key), trials in wanted.items():
        if problem := _problem(home, kind, key):
            wrong += 1
            of = f" of trial {_listed(trials)}" if trials else ""
            yield Check("artifacts", False, clean(f"{kind}/{key}{of}: {problem}"), _what_to_do(home, kind))
    if not wrong:
        yield Check("artifacts", True, f"all {len(wanted)} artifacts of the front are intact")


def _kind(stage: str) -> str:
    """Where the artifacts of a stage lie, also of one that this version does not know."""
    return STAGES[stage].kind if stage in STAGES else f"stages/{stage}"


def _made(home: SearchHome, banks: SearchedBanks) -> list[str]:
    """Those of the banks of a search over backbones that a trial has made so far, damaged ones too."""
    return [key for key in banks.keys if _problem(home, "banks", key) != MISSING]


def _shards(home: SearchHome, bank: str) -> list[str]:
    """The keys of a bank's shards; none where the bank itself is damaged, which is told of the bank.

    A bank of an earlier version has none: its one folder, which may be large, is not fetched.
    """
    with contextlib.suppress(TunerError):
        manifest = home.artifacts.find("banks", bank)
        if manifest is None or "shards" not in manifest.meta:
            return []
        return [shard for shard, _ in read_description(home.artifacts.fetch("banks", bank)).shards or []]
    return []


def _problem(home: SearchHome, kind: str, key: str) -> str | None:
    """What is wrong with an artifact; in a remote store only file sizes are compared, without downloading."""
    try:
        manifest = home.artifacts.find(kind, key)
        if manifest is None:
            return MISSING
        if home.store.local_path(manifest.folder) is not None:
            home.artifacts.fetch(kind, key)
            return None
        for name, file in manifest.files.items():
            found = home.store.stat(f"{manifest.folder}/{name}")
            if found is None or found.size != file.size:
                return f"{name} {'is missing' if found is None else f'has {found.size} bytes, expected {file.size}'}"
    except TunerError as error:
        return error.what
    return None


def _what_to_do(home: SearchHome, kind: str) -> str:
    if kind in ("banks", "shards"):
        return "nothing: the next start extracts it again if the data set is available"
    return (
        f"{RESTORE}, or start a search with the same recipe under another name: it recomputes the same stages, "
        f"and {home.name} reuses them"
    )


def _next_start(home: SearchHome, state: SearchState, recipe: Recipe) -> Check:
    """What `qpm-tuner search` would do next."""
    trials = state.budget or recipe.budget.trials
    again = [number for number in state.missing(trials) if number in state.lost]
    fresh = len(state.missing(trials)) - len(again)
    parts = [
        f"unfinished trials continued: {_listed([trial.number for trial in state.open()])}" if state.open() else "",
        f"trials proposed again: {_listed(again)}" if again else "",
        f"new trials: {fresh}" if fresh else "",
    ]
    told = "; ".join(filter(None, parts)) or f"all {trials} trials have finished"
    if not home.is_of_this_code():
        told = "runs no trial: another version of the stages started this search; its results can be read"
    return Check("next start", True, told)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
