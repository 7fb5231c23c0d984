"""The dense stage: adapter and real linear head, trained together (docs/explanation/method.md#dense-stage)."""

from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import nn

from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.qpm.adapter import Adapter
from tuner.qpm.classifier import Classifier
from tuner.qpm.randomness import generator, linear
from tuner.qpm.settings import AdapterConfig, DenseConfig
from tuner.qpm.training import Progress, fit


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
) -> DenseModel:
    """Train adapter and head on frozen tokens.

    Args:
        train: the training images.
        adapter: shape of the adapter.
        config: epochs, learning rate, weights of the losses.
        seed: of initial weights, batch order and dropout.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        progress: called after each epoch.
        checkpoint: file resumed from where it exists, and written after each epoch.

    Raises:
        DivergedError: the loss became NaN or infinite.
        UsageError: the pooling asks for a CLS token that is not there; the checkpoint is of another run.
    """
    target = choose_device(device)
    model = DenseModel(adapter, train.dim, train.n_classes, train.grid, generator(seed, "dense", "init"))
    samples = train.to(target)
    fit(model.to(target), samples, config, stage="dense", seed=seed, progress=progress, checkpoint=checkpoint)
    return model
