"""Measures on demand how stable a trial's decisions and explanations are under small changes of the held-out images."""

from collections.abc import Callable
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
from tuner.qpm.stability import CHANGES, Stability, changed, compared, summary
from tuner.search.outcome.explain import load_pick
from tuner.search.record.home import SearchHome
from tuner.search.record.inputs import load_input


def stability_of(
    home: SearchHome,
    chosen: Pick,
    *,
    weights: str = "",
    device: str = "auto",
    told: Callable[[int, int], None] = lambda _, __: None,
) -> dict[str, Stability]:
    """Each change by name, and what it leaves on the test images (docs/explanation/method.md#stability).

    Args:
        home: the search.
        chosen: the trial.
        weights: of a pre-trained backbone, if they are not at the path in the search's recipe.
        device: `auto`, `cpu`, `cuda` ...
        told: called with images done and images in all.

    Raises:
        TunerError: the images are not on this machine, or others than the search's; the model is missing or damaged.
    """
    from tuner.features.bank import open_bank

    recipe, key = home.stored()
    bank, dataset = load_input(home.artifacts, "banks", key, open_bank), load_dataset(recipe.data)
    if dataset.paths != bank.paths:
        raise TunerError(
            f"the data set {recipe.data.name} here has other images than the search",
            f"the {len(bank.paths):,} images of the feature bank banks/{key}",
            "bring back the images with which the search was made",
        )
    model = load_pick(home, chosen, weights, device=device)
    return measured(model, dataset, np.flatnonzero(~bank.is_train), recipe.backbone.batch_size, told)


def measured(
    model: ExportedModel,
    dataset: Dataset,
    index: np.ndarray,
    batch_size: int,
    told: Callable[[int, int], None] = lambda _, __: None,
) -> dict[str, Stability]:
    """As `stability_of`, of a loaded model on images of a data set."""
    parts: dict[str, list[Tensor]] = {name: [] for name in CHANGES}
    done = 0
    for batch in batches(dataset, index, model.image_size, model.model.grid, batch_size, model.geometry):
        plain = model.activations(batch.images)
        for name, found in parts.items():
            other = model.activations(changed(batch.images, name, int(done)))
            found.append(compared(model.model, plain, other, mirrored=name == "mirror").cpu())
        done += len(batch.index)
        beat()
        told(done, len(index))
    return {name: summary(found) for name, found in parts.items()}


def as_rows(found: dict[str, Stability]) -> list[dict[str, float | str]]:
    """One row for each change: its name and the values."""
    return [{"change": name, **asdict(values)} for name, values in found.items()]
