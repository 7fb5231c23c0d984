"""Picking a model from a search: choose, remember the choice in the ledger, export, register in MLflow."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.errors import TunerError, UsageError
from tuner.front import pick as rules
from tuner.front.pick import Pick
from tuner.recipe import objectives_of
from tuner.search.home import SearchHome, require_points
from tuner.search.mirror import FLUSH_S, open_mirror

ALIAS = "picked"


def pick_model(home: SearchHome, *, within: Sequence[str] | None = None, at_most: Mapping[str, float] = {}) -> Pick:
    """Choose from the search's trials.

    Args:
        home: the search.
        within: (distance, metric), or None for the knee.
        at_most: limits on parameters or values.

    Raises:
        UsageError: if no trial qualifies or an argument makes no sense.
    """
    require_points(home.front())
    recipe, _ = home.stored()
    objectives = objectives_of(recipe)
    points = home.state().points(objectives)
    distance, metric = within or (None, None)
    try:
        reach = None if distance is None else float(distance)
    except ValueError:
        raise UsageError(
            f"--within {distance} {metric}", "a distance and a metric", "for example --within 1.0 accuracy"
        ) from None
    return rules.pick(points, objectives, at_most=dict(at_most), within=reach, metric=metric)


def record_pick(home: SearchHome, chosen: Pick) -> None:
    """Remember the choice in the ledger; the report shows the last one."""
    event = {"event": "pick", "time_s": time.time(), "trial": chosen.point.trial, "reason": chosen.reason}
    home.ledger.append(event)


def export_pick(home: SearchHome, chosen: Pick, folder: Path) -> Path:
    """Write the model folder: safetensors and JSON, loaded back by `tuner.model.load_model`.

    Raises:
        UsageError: if the folder exists and is not empty.
    """
    from tuner.features.bank import load_bank
    from tuner.model import export_model
    from tuner.qpm.finetune import QpmModel

    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists and is not empty", "a new or empty folder", "choose another --export folder")
    recipe, bank_key = home.stored()
    assert chosen.point.model is not None, "a complete trial has a model"
    bank = load_bank(home.artifacts.fetch("banks", bank_key), contents=False)
    model = QpmModel.load(home.artifacts.fetch("stages/finetune", chosen.point.model))
    about: dict[str, Any] = {
        "search": home.name,
        "trial": chosen.point.trial,
        "params": chosen.point.params,
        "values": chosen.point.values,
        "test": home.state().trials[chosen.point.trial].test,
        "reason": chosen.reason,
        "bank": bank_key,
        "versions": home.versions(),
    }
    export_model(folder, model, bank, recipe.backbone, recipe.data.name, about)
    return folder


def register_pick(home: SearchHome, chosen: Pick) -> str:
    """Register the picked model in MLflow under the alias `picked`; returns its name and version.

    Raises:
        TunerError: if MLflow cannot be reached.
    """
    recipe, _ = home.stored()
    mirror = open_mirror(home, recipe.tracking)
    with tempfile.TemporaryDirectory(prefix="qpm-tuner-") as name:
        folder = export_pick(home, chosen, Path(name) / "model")
        try:
            return mirror.register(folder, home.name, chosen.point.trial, ALIAS, chosen.reason)
        finally:
            mirror.close(FLUSH_S)
            if mirror.warning:
                raise TunerError(mirror.warning, "a reachable MLflow", "check tracking.uri, then pick again")
