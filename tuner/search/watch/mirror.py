"""Chooses the MLflow to which a search is mirrored, and starts the mirror."""

import os
import shlex
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from tuner.base.folders import cache_root, made_folder
from tuner.base.secrets import hide
from tuner.front import hypervolume, uncertainty
from tuner.front.confirmation import ErrorBars
from tuner.recipe import TrackingConfig
from tuner.search.record.home import SearchHome
from tuner.search.record.reference import reference_for
from tuner.search.record.restoration import SearchState, TrialRecord
from tuner.search.record.values import read_curves
from tuner.search.watch.mirror_process import MirrorProcess
from tuner.tracking import Mirror
from tuner.tracking.database import sqlite_uri
from tuner.tracking.experiment import Confirmed

FLUSH_S = 60.0


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
    return Mirror(tracking_uri(home, config), home.name, partial(read_curves, home.artifacts))


def start_mirror(home: SearchHome, config: TrackingConfig) -> MirrorProcess:
    """The same in a separate process, for as long as the driver runs."""
    return MirrorProcess(tracking_uri(home, config), home.name, home.store)


def mirror_front(mirror: MirrorProcess, home: SearchHome, state: SearchState, files: Iterable[str]) -> None:
    """Show front, ranks, hypervolume over time and the derived files in MLflow; returns when they are there.

    Args:
        mirror: of this search.
        home: the search.
        state: the state of the search.
        files: names of derived files, such as report.html.
    """
    view = home.front(state=state)
    points = state.points(view.objectives)
    confirmed = {trial: _confirmed(view.bars[trial], state.trials[trial]) for trial in view.confirmed()}
    volumes = hypervolume.history(points, view.objectives, reference_for(state, view.objectives))
    history = [(state.trials[p.trial].ended_at, v) for p, v in zip(points, volumes, strict=True)]
    with tempfile.TemporaryDirectory(prefix="qpm-tuner-") as folder:
        paths = [Path(folder) / name for name in files]
        for path in paths:
            home.store.download(home.key(path.name), path)
        mirror.front(view.ranks, history, paths, confirmed)
        mirror.close(FLUSH_S)


def _confirmed(bars: ErrorBars, trial: TrialRecord) -> Confirmed:
    """The confirmation of a member as MLflow shows it."""
    values = {f"{name}_mean": value for name, value in bars.mean.items()}
    values |= {f"{name}_deviation": value for name, value in bars.deviation.items()}
    values = {name: value for name, value in values.items() if not name.startswith(uncertainty.ASSIGNED)}
    if bars.probability is not None:
        values["non_dominated"] = bars.probability
    last = max(run.time_s for run in trial.confirmations.values())
    return Confirmed(last, bars.runs, values, bars.beyond_noise)
