"""Picks a model from a search; on request exports it, registers it in MLflow, and records the choice.

The ledger records a choice once everything requested is done: previews and failed exports are not recorded.
"""

import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuner.errors import TunerError, UsageError
from tuner.front import words
from tuner.front.pick import Pick, Rules
from tuner.recipe import TrackingConfig, objectives_of
from tuner.search.outcome.choose import choose
from tuner.search.outcome.prices import with_prices
from tuner.search.record.events import Picked
from tuner.search.record.front_view import FrontView, require_points
from tuner.search.record.home import SearchHome
from tuner.search.record.inputs import load_input
from tuner.search.record.state import SearchState
from tuner.search.stages import model_stage
from tuner.search.watch.mirror import FLUSH_S, is_there, open_mirror, passed_over, replay_ledger

ALIAS = "picked"


def pick_model(home: SearchHome, rules: Rules | None = None, objectives: Sequence[str] | None = None) -> Pick:
    """Choose from the search's trials; the reason says if they were measured, and so chosen, on the test images.

    Args:
        home: the search.
        rules: what is asked; None: the knee.
        objectives: other axes of the trade-off than the search's, such as `["accuracy", "features_per_class:min"]`:
            the front is then computed anew from the stored values of all complete trials.

    Raises:
        UsageError: no trial qualifies, or an argument is invalid.
        TunerError: no trial is complete yet.
    """
    state = home.state()
    view = front_for(home, state, objectives)
    found = choose(view, state, rules)
    if objectives is not None and view.objectives != objectives_of(home.stored()[0]):
        axes = words.listing([words.name(o.name) for o in view.objectives])
        found = replace(
            found, reason=f"{found.reason} The front is that of {axes}, not of the search's own objectives."
        )
    if found.point.violates:
        limits = words.listing(list(found.point.violates))
        found = replace(found, reason=f"{found.reason} It violates {limits}: {view.satisfaction}.")
    if view.caution:
        found = replace(found, reason=f"{found.reason} Caution: {view.caution}.")
    return with_prices(home, view, state, found)


def front_for(home: SearchHome, state: SearchState, objectives: Sequence[str] | None = None) -> FrontView:
    """The front to choose from: of the search's objectives, or of others.

    Raises:
        UsageError: an objective is unknown.
        TunerError: no trial is complete yet.
    """
    view = home.front(objectives_of(home.stored()[0], objectives), state)
    require_points(view)
    return view


def carry_out(
    home: SearchHome,
    chosen: Pick,
    *,
    export: Path | None = None,
    register: bool = False,
    choose: bool = False,
    tracking_uri: str = "",
) -> dict[str, str]:
    """Export and register a pick as asked; record it in the ledger last, once everything is done.

    Args:
        home: the search.
        chosen: the pick.
        export: where to write the model folder.
        register: whether to register the model in MLflow.
        choose: record it even without export or registration.
        tracking_uri: of the MLflow to register it in; empty: MLFLOW_TRACKING_URI, else the file beside the store.

    Returns:
        What was done: "exported" and "registered", each with its location.

    Raises:
        TunerError: export or registration failed; the choice is then not recorded.
    """
    done = {}
    if export is not None:
        done["exported"] = str(export_pick(home, chosen, export))
    if register:
        done["registered"] = register_pick(home, chosen, tracking_uri)
    if done or choose:
        home.append(Picked(time.time(), chosen.point.trial, chosen.reason))
        show_pick(home, TrackingConfig(uri=tracking_uri), required=register)
    return done


def show_pick(home: SearchHome, config: TrackingConfig, *, required: bool = False) -> None:
    """Show the choice in MLflow at once; a problem is a warning, since the next start of the search shows it too.

    Args:
        home: the search, whose ledger has the choice.
        config: which MLflow.
        required: the command has used this MLflow; else it is asked only if the search is mirrored, to an address that
            is not only in the stored recipe.
    """
    is_mirrored = home.stored()[0].tracking.enabled and is_there(home, config) and not _only_stored(home, config)
    if not (required or is_mirrored):
        return
    mirror = open_mirror(home, config)
    replay_ledger(mirror, home)
    mirror.close(FLUSH_S, status=None)
    if mirror.warning:
        home.warn(mirror.warning)


def _only_stored(home: SearchHome, config: TrackingConfig) -> str:
    """The MLflow address that nobody but the stored recipe names, so that it is not asked; empty if there is none."""
    return "" if config.uri or os.environ.get("MLFLOW_TRACKING_URI") else passed_over(home, config)


def require_room(folder: Path) -> None:
    """Refuse an export folder that is in use.

    Raises:
        UsageError: if it is a file, or not empty.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        found = "is not empty" if folder.is_dir() else "is not a folder"
        raise UsageError(f"{folder} exists and {found}", "a new or empty folder", "choose another folder")


def export_pick(home: SearchHome, chosen: Pick, folder: Path) -> Path:
    """Write the model folder: safetensors and JSON, loaded back by `tuner.model.load_model`.

    Raises:
        UsageError: if the folder exists and is not empty, or is a file.
    """
    from tuner.features.bank import open_bank
    from tuner.model import export_model
    from tuner.qpm.finetuning import QpmModel

    require_room(folder)
    recipe, bank_key = home.of_trial(chosen.point.params)
    assert chosen.point.model is not None, "a complete trial has a model"
    bank = load_input(home.artifacts, "banks", bank_key, open_bank)
    model = load_input(home.artifacts, model_stage().kind, chosen.point.model, lambda f: QpmModel.load(f).of(bank))
    record = home.state().trials.get(chosen.point.trial)  # missing if its ledger entry was damaged in the meantime
    about: dict[str, Any] = {
        "search": home.name,
        "trial": chosen.point.trial,
        "params": chosen.point.params,
        "values": chosen.point.values,
        "test": record.test if record else {},
        "program": record.program.to_json() if record and record.program else None,
        "reason": chosen.reason,
        "bank": bank_key,
        "versions": home.versions(),
    }
    export_model(folder, model, bank, recipe.backbone, recipe.data.name, about)
    return folder


def register_pick(home: SearchHome, chosen: Pick, tracking_uri: str = "") -> str:
    """Register the picked model in MLflow under the alias `picked`; returns its name and version.

    Raises:
        UsageError: the MLflow address comes only from the stored recipe, so credentials are not sent to it.
        TunerError: if MLflow cannot be reached.
    """
    config = TrackingConfig(uri=tracking_uri)
    if address := _only_stored(home, config):
        shown = shlex.quote(ascii(address)[1:-1])
        raise UsageError(
            f"the MLflow address of search {home.name!r} comes only from its stored recipe: {shown}",
            "an address given by you, since your credentials would be sent there",
            f"if it is yours, add `tracking_uri={shown}`, or set MLFLOW_TRACKING_URI",
        )
    mirror = open_mirror(home, config)
    replay_ledger(mirror, home)
    with tempfile.TemporaryDirectory(prefix="qpm-tuner-") as name:
        folder = export_pick(home, chosen, Path(name) / "model")
        try:
            return mirror.register(folder, home.name, chosen.point.trial, ALIAS, chosen.reason)
        finally:
            mirror.close(FLUSH_S, status=None)  # the search may be running
            if mirror.warning:
                raise TunerError(mirror.warning, "a reachable MLflow", "check tracking.uri, then pick again")
