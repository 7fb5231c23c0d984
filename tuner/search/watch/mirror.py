"""Chooses the MLflow to which a search is mirrored, and starts the mirror."""

import json
import os
import shlex
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from tuner.base.folders import cache_root, made_folder
from tuner.base.secrets import hide
from tuner.base.text import readable
from tuner.errors import TunerError
from tuner.front import hypervolume, uncertainty
from tuner.front.confirmation import ErrorBars
from tuner.front.pareto import Point
from tuner.recipe import TrackingConfig
from tuner.report.picture import render_front
from tuner.search.record.events import Event
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome
from tuner.search.record.mirrored import Mirrored
from tuner.search.record.reference import reference_for
from tuner.search.record.restoration import SearchState, TrialRecord
from tuner.search.record.searched_banks import SearchedBanks
from tuner.search.record.values import read_curves
from tuner.search.watch.mirror_process import MirrorProcess
from tuner.tracking import Mirror
from tuner.tracking.database import sqlite_path, sqlite_uri
from tuner.tracking.dataset import DatasetInfo
from tuner.tracking.front import Confirmed

FLUSH_S = 60.0
PLACE = "mlflow.json"
LONGEST_PLACE = 10_000  # bytes


def tracking_uri(home: SearchHome, config: TrackingConfig) -> str:
    """The given recipe's URI, else MLFLOW_TRACKING_URI, else a sqlite file in the store's folder or the local cache.

    The address in a stored recipe is not used: requests carry the user's credentials, and anyone with write access to
    the store could redirect them.
    """
    given = config.uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if given:
        return given
    path = home.store.local_path("mlflow.db") or made_folder(cache_root()) / "mlflow.db"
    return sqlite_uri(path)


def passed_over(home: SearchHome, config: TrackingConfig) -> str:
    """The address that only the stored recipe names, which is therefore not used; empty if there is none."""
    stored = home.stored_address()
    asked = hide(tracking_uri(home, config)).replace("***@", "")
    return "" if config.uri or stored.rstrip("/") == asked.rstrip("/") else stored


def not_asked(address: str) -> str:
    """The warning about it."""
    shown = shlex.quote(ascii(address)[1:-1])
    return (
        f"the stored recipe names the MLflow {shown}, which is not used: neither this command nor MLFLOW_TRACKING_URI "
        f"names it; if it is yours, add tracking.uri={shown}"
    )


def open_mirror(home: SearchHome, config: TrackingConfig) -> Mirror:
    """The mirror of a search; it runs in its own thread, and failures of the server do not raise here."""
    return Mirror(tracking_uri(home, config), home.name, partial(read_curves, home.artifacts), dataset=_dataset(home))


def replay_ledger(mirror: Mirror, home: SearchHome) -> None:
    """Let MLflow have what it lacks of a search, so that it knows the trial that a command is about."""
    past: list[Event] = []
    home.state(accepted=past.append)
    mirrored = Mirrored()
    mirror.replay([expanded for event in past for expanded in mirrored.of(event.to_json())])


def start_mirror(home: SearchHome, config: TrackingConfig, on_open: Callable[[str], None]) -> MirrorProcess:
    """The same in a separate process, for as long as the driver runs.

    Args:
        home: the search.
        config: which MLflow.
        on_open: called once, in a thread, with where to view the search, as soon as MLflow has it.
    """
    return MirrorProcess(tracking_uri(home, config), home.name, home.store, _dataset(home), on_open)


def _dataset(home: SearchHome) -> DatasetInfo:
    """What is told of the data; sizes only if the feature bank can be read."""
    recipe, bank = home.stored()
    if isinstance(bank, SearchedBanks):
        return DatasetInfo(recipe.data.name, bank.digest, bank.n_images, bank.n_classes, bank.keys)
    info = DatasetInfo(recipe.data.name, bank)
    try:
        manifest = home.artifacts.find("banks", bank)
        if manifest is not None:
            info = info._replace(n_images=manifest.told("n_images", int), n_classes=manifest.told("n_classes", int))
    except TunerError as error:
        home.warn(f"MLflow is not told the size of the data set: {error.what}")
    return info


def shown_place(home: SearchHome, config: TrackingConfig) -> str:
    """Where to view a search in the MLflow that this command names; the page of its runs, if the store knows it."""
    own, stored = (
        Mirror(tracking_uri(home, config), home.name, partial(read_curves, home.artifacts)).url,
        stored_place(home),
    )
    return stored if stored.startswith((f"{own}/", f"{own},")) else own


def is_there(home: SearchHome, config: TrackingConfig) -> bool:
    """Whether there is an MLflow to ask: a server, or an sqlite file that a search has made."""
    path = sqlite_path(tracking_uri(home, config))
    return path is None or path.exists()


def place_document(url: str) -> bytes:
    """The file `mlflow.json` of a search: where it is to be seen."""
    return json.dumps({"url": url}, indent=1).encode()


def stored_place(home: SearchHome) -> str:
    """What `mlflow.json` says, for display only, since others may write to the store; empty if nothing is known."""
    key = home.key(PLACE)
    found = home.store.stat(key)
    if found is None or found.size > LONGEST_PLACE:
        return ""
    try:
        content = json.loads(home.store.get(key))
    except ValueError:
        return ""
    url = content.get("url") if isinstance(content, dict) else None
    return readable(hide(url)) if isinstance(url, str) else ""


def mirror_front(mirror: MirrorProcess, home: SearchHome, state: SearchState, files: Iterable[str]) -> None:
    """Show front, ranks, hypervolume over time and the derived files in MLflow; returns when they are there.

    Args:
        mirror: of this search.
        home: the search.
        state: the state of the search.
        files: names of derived files, such as report.html.
    """
    view = home.front(state=state)
    confirmed = {trial: _confirmed(view.bars[trial], state.trials[trial]) for trial in view.confirmed()}
    ended, known = state.finished(), {point.trial: point for point in state.points(view.objectives)}
    points = [known.get(trial.number, Point(trial.number)) for trial in ended]  # each has a step, as in other curves
    volumes = hypervolume.history(points, view.objectives, reference_for(state, view.objectives))
    history = [(trial.ended_at, volume) for trial, volume in zip(ended, volumes, strict=True)]
    elapsed_s = SearchHome(home.store, home.name).state().elapsed_s  # the driver's own state counts from its start
    with tempfile.TemporaryDirectory(prefix="qpm-tuner-") as folder:
        paths = [Path(folder) / name for name in files]
        for path in paths:
            home.store.download(home.key(path.name), path)
        pictures = _pictures(view, state, Path(folder))
        mirror.front(view.ranks, history, paths, confirmed, pictures, elapsed_s)
        mirror.close(FLUSH_S)


def _pictures(view: FrontView, state: SearchState, folder: Path) -> dict[int, Path]:
    """A picture of the front for the run of each member, with its own place marked."""
    points, pictures = view.points(state), {}
    for member in view.members:
        path = folder / f"front-{member.trial}.svg"
        own = next(point for point in points if point.trial == member.trial)
        text = render_front(points, view.objectives, own, view.search, view.ranks, called="this run")
        path.write_text(text, encoding="utf-8")
        pictures[member.trial] = path
    return pictures


def _confirmed(bars: ErrorBars, trial: TrialRecord) -> Confirmed:
    """The confirmation of a member as MLflow shows it."""
    values = {f"{name}_mean": value for name, value in bars.mean.items()}
    values |= {f"{name}_deviation": value for name, value in bars.deviation.items()}
    values = {name: value for name, value in values.items() if not name.startswith(uncertainty.ASSIGNED)}
    if bars.probability is not None:
        values["non_dominated"] = bars.probability
    last = max(run.time_s for run in trial.confirmations.values())
    return Confirmed(last, bars.runs, values, bars.beyond_noise)
