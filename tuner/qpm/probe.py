"""The baseline everything is compared with: a linear probe, no adapter (docs/explanation/method.md#linear-probe).

It is the dense stage with no layers, on the CLS token, or the mean patch token where there is no CLS.
"""

from dataclasses import replace
from typing import ClassVar

import torch

from tuner.features.device import choose_device
from tuner.features.feeding import in_order
from tuner.features.samples import Samples
from tuner.qpm.dense import DenseModel
from tuner.qpm.randomness import generator
from tuner.qpm.settings import AdapterConfig, DenseConfig
from tuner.qpm.training import Progress, fit

PROBE = DenseConfig(epochs=40, diversity=0.0)


class LinearProbe(DenseModel):
    """A linear layer on frozen tokens; its feature maps are the patch tokens themselves."""

    kind: ClassVar[str] = "linear_probe"


def train_linear_probe(
    train: Samples, *, seed: int, device: str = "auto", progress: Progress | None = None
) -> LinearProbe:
    """Train the probe as published: 40 epochs, dropout 0.2, cross-entropy only."""
    target = choose_device(device)
    adapter = AdapterConfig(n_layers=0, pooling="avg" if train.cls is None else "cls")
    model = LinearProbe(adapter, train.dim, train.n_classes, train.grid, generator(seed, "probe", "init"))
    samples = train.near(target)
    means = [patches.mean(1, keepdim=True, dtype=torch.float32) for _, (patches, _) in in_order(samples, 256)]
    pooled = replace(samples, patches=torch.cat(means)).to(target)  # its features, once and for all epochs
    fit(model.to(target), pooled, PROBE, stage="probe", seed=seed, progress=progress)
    return model
