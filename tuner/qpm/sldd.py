"""DINO-SLDD: a sparse head of real weights on features that the grouped path selects
(docs/explanation/method.md#sldd)."""

from pathlib import Path

import torch
from torch import Tensor

from tuner.errors import UsageError
from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.qpm.dense import DenseModel
from tuner.qpm.glm.path import PathPoint, ordinary_path
from tuner.qpm.selection import Standardised, selected_model
from tuner.qpm.settings import SlddConfig
from tuner.qpm.sparse import SparseModel
from tuner.qpm.training import Progress, fit


def train_sldd(
    dense: DenseModel,
    train: Samples,
    config: SlddConfig,
    *,
    seed: int,
    device: str = "auto",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> SparseModel:
    """Select features, find sparse weights for them, and train the adapter behind these.

    Args:
        dense: a trained dense model; the published one is trained by `SPARSE_DENSE`.
        train: the images it was trained on.
        config: sizes, paths, and the training.
        seed: of the images that the paths are scored on, of batch order and dropout.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        progress: called after each epoch.
        checkpoint: file resumed from where it exists, and written after each epoch; the paths are walked again.

    Raises:
        InfeasibleError: there are fewer features that vary, or that tell something, than are to be selected.
        DivergedError: the loss became NaN or infinite.
        UsageError: a class has too few images; no model of the path is sparse enough; the checkpoint is of another run.
    """
    samples = train.near(choose_device(device))
    model, found = selected_model(dense.to(samples.device), samples, config, seed)
    point = densest_within(found, config)
    weight = largest(point.minimum.weight, config.features_per_class * model.n_classes)
    head = {"weight": weight, "bias": point.minimum.bias, "mean": found.mean, "std": found.std}
    model.head.load_state_dict({"features": model.features, **head})
    model.info |= {
        "strength": point.strength,
        "converged": point.minimum.converged,
        "path_weights_per_class": point.per_class,
        "path_accuracy": found.accuracy(point.minimum.weight, point.minimum.bias),
        "sparse_accuracy": found.accuracy(weight, point.minimum.bias),
        "n_weights": int((weight != 0).sum()),
    }
    fit(model, samples, config, stage="sldd", seed=seed, progress=progress, checkpoint=checkpoint)
    return model


def densest_within(found: Standardised, config: SlddConfig) -> PathPoint:
    """The last model of the ordinary path before one has more than `densest` nonzero weights per class.

    Raises:
        UsageError: only the model without weights is sparse enough.
    """
    last: PathPoint | None = None
    for point in ordinary_path(found.problem, config):
        if point.per_class > config.densest:
            break
        last = point
    if last is None or last.per_class == 0:
        raise UsageError(
            f"no model of the path has from 1 weight to {config.densest:g} weights per class",
            "a sparse model on the path",
            "raise densest or path_lambdas of SlddConfig, or train the dense model for more epochs",
        )
    return last


def largest(weight: Tensor, n: int) -> Tensor:
    """The n weights of largest absolute value, of those equal the first; the others are 0."""
    flat = weight.flatten()
    kept = torch.sort(flat.abs(), descending=True, stable=True).indices[:n]
    return torch.zeros_like(flat).index_copy_(0, kept, flat[kept]).view_as(weight)
