"""Measures on demand how stable a trial's decisions and explanations are under small changes of the test images.

Beside it stands its random control, where a comparison has trained one.
"""

import copy
from dataclasses import asdict

import numpy as np
from torch import Tensor

from tuner.base.pulse import beat
from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.errors import TunerError
from tuner.features.loading import batches
from tuner.front.pick import Pick
from tuner.model import ExportedModel
from tuner.qpm import QpmModel
from tuner.qpm.stability import CHANGES, Stability, changed, compared, summary
from tuner.search.outcome.explain import load_pick
from tuner.search.record.home import SearchHome
from tuner.search.record.inputs import load_input
from tuner.search.systems import models
from tuner.search.systems.system import Tokens

Found = dict[tuple[str, str], Stability]


def stability_of(home: SearchHome, chosen: Pick, *, weights: str = "", device: str = "auto") -> Found:
    """What each change leaves on the test images, by model and change (docs/explanation/method.md#stability).

    Args:
        home: the search.
        chosen: the trial.
        weights: of a pre-trained backbone, if they are not at the path in the search's recipe.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        TunerError: the images are not on this machine, or others than the search's; the model is missing or damaged.
    """
    from tuner.features.bank import open_bank

    recipe, key = home.of_trial(chosen.point.params)
    bank, dataset = load_input(home.artifacts, "banks", key, open_bank), load_dataset(recipe.data)
    if dataset.paths != bank.paths:
        raise TunerError(
            f"the data set {recipe.data.name} here has other images than the search",
            f"the {len(bank.paths):,} images of the feature bank banks/{key}",
            "bring back the images with which the search was made",
        )
    model = load_pick(home, chosen, weights, device=device)
    of = {f"trial {chosen.point.trial}": model.model}
    if (control := _control(home, chosen)) is not None:
        of["random"] = control.to(model.model.weight.device)
    return measured(model, of, dataset, np.flatnonzero(~bank.is_train), recipe.backbone.batch_size)


def measured(
    reader: ExportedModel, of: dict[str, QpmModel], dataset: Dataset, index: np.ndarray, batch_size: int
) -> Found:
    """The same of models that read the same tokens, on images of a data set.

    Args:
        reader: an exported model, whose backbone makes the tokens.
        of: the models by name.
        dataset: the images.
        index: which of them, positions.
        batch_size: images at a time.
    """
    parts: dict[tuple[str, str], list[Tensor]] = {(name, change): [] for name in of for change in CHANGES}
    readers, done = {name: _reading(reader, model) for name, model in of.items()}, 0
    for batch in batches(dataset, index, reader.image_size, reader.model.grid, batch_size, reader.geometry):
        plain = {name: one.activations(batch.images) for name, one in readers.items()}
        for change in CHANGES:
            images = changed(batch.images, change, done)
            for name, one in readers.items():
                stays = compared(one.model, plain[name], one.activations(images), mirrored=change == "mirror")
                parts[name, change].append(stays.cpu())
        done += len(batch.index)
        beat()
    return {place: summary(found) for place, found in parts.items()}


def as_rows(found: Found) -> list[dict[str, float | str]]:
    """One row for each model and change, with the values."""
    return [{"model": name, "change": change, **asdict(values)} for (name, change), values in found.items()]


def _control(home: SearchHome, chosen: Pick) -> QpmModel | None:
    """The model behind a random assignment of the same size, if a comparison has trained it."""
    at, key = home.of_trial(chosen.point.params)
    tokens = Tokens.of(home.artifacts, key)
    spec = models.qpm(models.drawn(at, tokens), tokens)[-1]
    if home.artifacts.find(spec.kind, spec.key) is None:
        return None
    return load_input(home.artifacts, spec.kind, spec.key, QpmModel.load)


def _reading(reader: ExportedModel, model: QpmModel) -> ExportedModel:
    """The exported model with another model behind its backbone."""
    made = copy.copy(reader)
    made.model = model
    return made
