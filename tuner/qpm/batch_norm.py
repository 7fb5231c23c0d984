"""Batch-norm statistics at the weights that a training ends with (docs/explanation/method.md#batch-norm)."""

from collections.abc import Iterator

import torch
from torch import nn

from tuner.features.feeding import Batch
from tuner.qpm.classifier import Classifier


@torch.no_grad()
def reestimate_batch_norm(model: Classifier, batches: Iterator[Batch]) -> None:
    """Replace running statistics, gathered at y, by those of one pass at the present weights.

    The model is in training mode with momentum None (a plain average over batches) and without dropout.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    for patches, cls, _ in batches:
        model(patches, cls)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()
