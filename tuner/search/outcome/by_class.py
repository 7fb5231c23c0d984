"""Accuracy of a model on each class, from the values of single images that its evaluation kept."""

import numpy as np

from tuner.base.untrusted import require
from tuner.errors import UsageError
from tuner.front import uncertainty
from tuner.front.pick import Pick
from tuner.report.views import ClassAccuracy
from tuner.search.execute.plan import StageSpec, evaluation, plan_trial
from tuner.search.record.home import SearchHome
from tuner.search.record.inputs import load_input
from tuner.search.record.values import read_images
from tuner.store import MissingKeyError


def accuracy_by_class(home: SearchHome, chosen: Pick) -> tuple[str, list[ClassAccuracy]]:
    """The split, test where the model has been measured on it, and the classes that have images there.

    Raises:
        UsageError: no values of single images are in the store.
        TunerError: the store, or an artifact, is broken.
    """
    from tuner.features.bank import open_bank
    from tuner.features.sides import split_masks

    recipe, bank = home.stored()
    *made, measured = plan_trial(recipe, bank, chosen.point.params)
    key = home.of_trial(chosen.point.params)[1]
    model = next(spec for spec in made if spec.row.gives_the_model)
    tested = evaluation(model, "test")
    spec = tested if home.artifacts.find(tested.kind, tested.key) is not None else measured
    right = _right(home, spec, chosen.point.trial)
    tokens = load_input(home.artifacts, "banks", key, open_bank)
    split, settings = spec.settings["held_out"], spec.settings["split"]
    labels = tokens.labels[split_masks(tokens, settings, settings["split_seed"])[split]]
    require(len(labels) == len(right), "an evaluation", f"it has {len(right)} images", f"the {len(labels)} of {split}")
    rows = []
    for label, name in enumerate(tokens.class_names):
        of_it = right[labels == label]
        if len(of_it):
            accuracy = float(of_it.mean())
            rows.append(ClassAccuracy(name, len(of_it), accuracy, uncertainty.standard_error(accuracy, len(of_it))))
    return split, rows


def _right(home: SearchHome, spec: StageSpec, trial: int) -> np.ndarray:
    """100 for each image that is classified rightly, else 0, (n,)."""
    try:
        images = load_input(home.artifacts, spec.kind, spec.key, read_images)
    except MissingKeyError:
        images = {}
    if "accuracy" not in images:
        raise UsageError(
            f"the store holds no values of single images for trial {trial}",
            "an evaluation made by this version",
            "start a new search with the same recipe",
        )
    return images["accuracy"]
