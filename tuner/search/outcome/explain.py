"""Explains a model of a search, the picked one or that of any trial, without exporting it first."""

import tempfile
from pathlib import Path

from tuner.base.folders import at_home
from tuner.base.spelling import did_you_mean
from tuner.base.untrusted import shown
from tuner.errors import UsageError
from tuner.front.pick import Pick
from tuner.model import ExportedModel, load_model
from tuner.report.explanation import Decision
from tuner.search.outcome.choose import recorded_pick
from tuner.search.outcome.pick import export_pick
from tuner.search.outcome.report import model_pictures
from tuner.search.record.front_view import require_points
from tuner.search.record.home import SearchHome


def chosen_model(home: SearchHome, trial: int | None) -> Pick:
    """The recorded pick (else the knee), or the model of a trial.

    Raises:
        UsageError: if that trial has no model.
    """
    state = home.state()
    view = home.front(state=state)
    require_points(view)
    if trial is None:
        return recorded_pick(view, state)
    points = {point.trial: point for point in view.points(state)}
    if trial not in points:
        raise UsageError(f"trial {trial} has no model", f"one of {sorted(points)}", "choose a complete trial")
    return Pick(points[trial], f"Trial {trial} was requested.")


def load_chosen(home: SearchHome, trial: int | None, weights: str = "") -> ExportedModel:
    """That model, ready for image files.

    Args:
        home: the search.
        trial: the model of this trial; None for the picked one.
        weights: of a pre-trained backbone, if they are not at the path in the search's recipe.
    """
    return load_pick(home, chosen_model(home, trial), weights)


def load_pick(home: SearchHome, pick: Pick, weights: str = "", *, device: str = "auto") -> ExportedModel:
    """The model of a pick, ready for image files; arguments as those of `load_chosen` and `load_model`."""
    named = home.of_trial(pick.point.params)[0].backbone.weights
    usual = named if Path(at_home(named, "backbone.weights")).exists() else ""
    with tempfile.TemporaryDirectory(prefix="qpm-tuner-") as name:
        folder = export_pick(home, pick, Path(name) / "model")
        return load_model(folder, weights=weights or usual, device=device)


def against(home: SearchHome, trial: int | None, first: str, second: str) -> Decision:
    """Two classes side by side, each on one of its own held-out images.

    Raises:
        UsageError: if a class is unknown, or both are the same.
    """
    pictures = model_pictures(home, chosen_model(home, trial))
    labels = [_label(pictures.class_names, name) for name in (first, second)]
    if first == second:
        raise UsageError(f"class {shown(first)} beside itself", "two different classes", "name another second class")
    views = pictures.pair(*labels)
    return Decision(f"{views.left.name} against {views.right.name}", views)


def _label(class_names: tuple[str, ...], name: str) -> int:
    if name not in class_names:
        near = [known for known in class_names if name.lower() in known.lower()]
        known = ", ".join(shown(known) for known in (near or class_names)[:10])
        todo = did_you_mean(name, class_names, "correct the name")
        raise UsageError(f"class {name!r} is unknown", f"a class of the data, such as {known}", todo)
    return class_names.index(name)
