"""The dense stage: adapter and real linear head, trained together (docs/explanation/method.md#dense-stage)."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn

from tuner.errors import UsageError
from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.qpm.adapter import Adapter
from tuner.qpm.classifier import Classifier, batches
from tuner.qpm.held_out import trained_images
from tuner.qpm.program.instance.arrays import Bools
from tuner.qpm.program_input import DenseFeatures
from tuner.qpm.randomness import generator, linear
from tuner.qpm.settings import AdapterConfig, DenseConfig
from tuner.qpm.training import Progress, fit
from tuner.qpm.validation import Validation


class DenseModel(Classifier):
    """Adapter and linear head with bias.

    Args:
        config: the adapter's settings.
        dim: width of a token.
        n_classes: number of classes.
        grid: tokens per column and per row.
        init: draws the initial weights; None leaves them unset, to be loaded.
    """

    kind: ClassVar[str] = "dense"
    head: nn.Linear

    def __init__(
        self,
        config: AdapterConfig,
        dim: int,
        n_classes: int,
        grid: tuple[int, int],
        init: torch.Generator | None = None,
    ) -> None:
        adapter = Adapter(config, dim, init)
        super().__init__(adapter, linear(adapter.width, n_classes, init), grid)

    @classmethod
    def blank(cls, config: AdapterConfig, dim: int, n_classes: int, grid: tuple[int, int]) -> Self:
        """A model of the right shape whose weights are still to be loaded."""
        return cls(config, dim, n_classes, grid)


def train_dense(
    train: Samples,
    adapter: AdapterConfig,
    config: DenseConfig,
    *,
    seed: int,
    device: str = "auto",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    validation: Samples | None = None,
) -> DenseModel:
    """Train adapter and head on frozen tokens.

    Args:
        train: the training images; `config.held_out` of each class are left aside.
        adapter: shape of the adapter.
        config: epochs, learning rate, weights of the losses, share held out.
        seed: of initial weights, batch order and dropout.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        progress: called after each epoch.
        checkpoint: file resumed from where it exists, and written after each epoch.
        validation: held-out images for the learning curves; they change nothing else. None: none.

    Raises:
        DivergedError: the loss became NaN or infinite.
        UsageError: the pooling asks for a CLS token that is not there; the checkpoint is of another run; a class is too
            small to hold images out.
    """
    target = choose_device(device)
    rows = np.flatnonzero(trained_images(train, config.held_out, seed))
    model = DenseModel(adapter, train.dim, train.n_classes, train.grid, generator(seed, "dense", "init"))
    samples = train.near(target)
    fit(
        model.to(target),
        samples,
        config,
        rows=torch.as_tensor(rows),
        stage="dense",
        seed=seed,
        progress=progress,
        checkpoint=checkpoint,
        validation=None if validation is None else Validation(validation.near(target), config.epochs),
    )
    return model


def dense_features(
    dense: Classifier, train: Samples, *, trained: Bools | None = None, device: str = "auto"
) -> DenseFeatures:
    """What the program reads of a dense model: its features over images, computed in one pass.

    Args:
        dense: a trained dense model or ResNet, moved to `device`; run in evaluation mode, without dropout.
        train: the training images.
        trained: (n,) bool, those it was trained on, as `trained_images` gives them; None: all.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...

    Raises:
        UsageError: the model has no adapter to select from, or asks for a CLS token that is not there.
    """
    if isinstance(dense.adapter, Adapter) and not dense.adapter.layers:
        raise UsageError(
            "assignment for a model without adapter",
            "adapter.n_layers >= 1",
            "train a dense model with layers",
        )
    samples = train.near(choose_device(device))
    inner = torch.zeros(dense.map_grid, dtype=torch.bool, device=samples.device)
    inner[1:-1, 1:-1] = True
    pooled, peaks, places = [], [], []
    for _, (maps, features, _) in batches(dense.to(samples.device), samples):
        highest, where = maps.max(1)
        pooled.append(features)
        peaks.append(torch.exp(highest - maps.logsumexp(1)))
        places.append(where)
    where = torch.cat(places)
    return DenseFeatures(
        pooled=torch.cat(pooled).cpu().numpy(),
        peaks=torch.cat(peaks).cpu().numpy(),
        borders=(~inner.flatten()[where]).cpu().numpy(),
        places=where.int().cpu().numpy(),
        labels=train.labels.cpu().numpy(),
        trained=np.ones(len(train), dtype=np.bool_) if trained is None else trained,
        n_classes=train.n_classes,
    )
