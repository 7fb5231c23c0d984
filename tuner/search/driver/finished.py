"""The fast path for rerunning a finished search: report the stored result if a run would change nothing.

Such a run would start Ray, MLflow and PyTorch for seconds and rewrite the same files. So the end of a run records
its inputs and outputs (`finished.json`, which may be deleted). If all of them are unchanged, there is nothing to do.
Any difference, even in a modification time, leads to a complete run.
"""

import hashlib
import json
from dataclasses import replace
from typing import Any

from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.recipe import Recipe, objectives_of
from tuner.search.control.entries import numbers
from tuner.search.propose.lag import adopt_lag
from tuner.search.record.home import SearchHome
from tuner.search.record.state import SearchState
from tuner.search.session.precision import adopt_precision
from tuner.search.stages import model_stage
from tuner.search.stopping.promotion import promotions_left
from tuner.search.watch.listing import driver_of
from tuner.search.watch.mirror import not_asked, passed_over, shown_place, tracking_uri
from tuner.search.watch.result import SearchResult
from tuner.store import CorruptArtifactError, MissingKeyError
from tuner.tracking.database import sqlite_path
from tuner.tracking.place import FOLDER
from tuner.version import __version__

FILE = "finished.json"
MOST_BYTES = 100_000
DERIVED = {"report": "report.html", "front": "front.json", "picture": "front.svg"}


def remember(home: SearchHome, recipe: Recipe, state: SearchState, *, mirrored: bool, asked: int | None = None) -> None:
    """Record that a run has done everything; if it has not, write nothing.

    Args:
        home: the search.
        recipe: what was run.
        state: what the ledger says.
        mirrored: whether MLflow shows all of it, or is switched off.
        asked: total of trials that the run was asked for, where an instruction has changed it.
    """
    if not mirrored or state.missing(recipe.budget.trials) or state.open() or not measured(recipe, state):
        return
    if promotions_left(recipe, state):  # a limit has ended it, and is told again
        return
    told = replace(recipe, budget=replace(recipe.budget, trials=asked or recipe.budget.trials))
    found = _found(home, told)
    now = SearchHome(home.store, home.name).state(recipe)
    if set(numbers(home.store, home.name)[0]) - set(now.instructed):  # an instruction has come meanwhile
        return
    if _shown(now) == _shown(state):  # else the report lacks what another process has recorded meanwhile
        home.store.put(home.key(FILE), json.dumps(found).encode())


def measured(recipe: Recipe, state: SearchState) -> bool:
    """Whether every member of the front has been measured on the test split."""
    return recipe.protocol == "paper" or all(
        state.trials[member.trial].test for member in state.members(objectives_of(recipe))
    )


def as_it_stands(home: SearchHome, asked: Recipe | None, trials: int | None = None) -> SearchResult | None:
    """The result that a run of the search would have; None if a run would do or report anything.

    Args:
        home: the search.
        asked: the recipe, or None for the stored one.
        trials: trials in all, or None for the recipe's budget.

    Raises:
        UsageError: the recipe differs from that of the search.
    """
    told = _told(home)
    if told is None or told.get("mlflow") is None:
        return None
    recipe, bank = home.stored()
    if asked is not None:
        asked = adopt_lag(adopt_precision(asked, recipe), recipe)
        home.refuse_changes(recipe, asked)
        asked.space = recipe.space
        recipe = asked
    if trials is not None:
        recipe.budget.trials = trials
    if told != _found(home, recipe) or driver_of(home.store, home.name):
        return None
    quiet = SearchHome(home.store, home.name)  # the run itself reports warnings
    state = quiet.state(recipe)
    recipe.budget.trials = state.in_force(recipe.budget.trials)
    if quiet.ledger.warnings or any(not damage.settled for damage in state.damage):
        return None
    kind, members = model_stage().kind, state.members(objectives_of(recipe))
    banks = [bank] if isinstance(bank, str) else {home.of_trial(member.params)[1] for member in members}
    wanted = [*(("banks", key) for key in banks), *((kind, member.model or "") for member in members)]
    if not all(_is_there(home, *artifact) for artifact in wanted):
        return None
    files = {name: home.address(file) for name, file in DERIVED.items() if home.store.stat(home.key(file))}
    tracking = "switched off (tracking.enabled)"
    if recipe.tracking.enabled:
        tracking = shown_place(home, recipe.tracking)
        if address := passed_over(home, recipe.tracking):
            home.warn(not_asked(address))
    return SearchResult(home, recipe, state, files, already_complete=True, tracking=tracking)


def _shown(state: SearchState) -> Any:
    """What other processes record beside a driver, and the report shows."""
    trials = {n: (trial.outcome, trial.test, sorted(trial.confirmations)) for n, trial in state.trials.items()}
    return state.picks, state.baselines, trials


def _is_there(home: SearchHome, kind: str, key: str) -> bool:
    """Whether the store has an artifact, and its manifest is sound."""
    try:
        return home.artifacts.find(kind, key) is not None
    except CorruptArtifactError:
        return False


def _told(home: SearchHome) -> dict[str, Any] | None:
    """The record of the last complete run."""
    key = home.key(FILE)
    try:
        found = home.store.stat(key)
        return None if found is None or found.size > MOST_BYTES else parse_object(home.store.get(key))
    except (MissingKeyError, InvalidJsonError):
        return None


def _found(home: SearchHome, recipe: Recipe) -> dict[str, Any]:
    """The current inputs and outputs of a run; None where one is unknown."""
    names = sorted(home.store.list(home.ledger.prefix))  # an entry's name holds the hash of its content
    names += map(str, numbers(home.store, home.name)[0])
    files = {file: home.store.stat(home.key(file)) for file in (*DERIVED.values(), "history.parquet")}
    return {
        "version": __version__,
        "store": home.store.url,
        "recipe": _digest(recipe.to_dict()),
        "ledger": _digest(names),
        "files": {file: None if found is None else found.version for file, found in files.items()},
        "mlflow": _mirror(home, recipe) if recipe.tracking.enabled else "off",
    }


def _mirror(home: SearchHome, recipe: Recipe) -> list[Any] | None:
    """The sqlite file that MLflow shows the search from, its state, and the files beside it.

    None for a server, which only a run can ask, and for a file that cannot be looked at.
    """
    path = sqlite_path(tracking_uri(home, recipe.tracking))
    if path is None:
        return None
    try:
        database, folder = path.stat(), path.parent / FOLDER
        beside = sorted((str(file.relative_to(folder)), file.stat().st_size) for file in folder.rglob("*"))
    except OSError:
        return None
    return [str(path), database.st_ino, database.st_size, database.st_mtime_ns, folder.is_dir(), _digest(beside)]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
