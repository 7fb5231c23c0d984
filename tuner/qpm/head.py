"""The two heads from features to classes: a real linear one, and QPM's fixed binary one.

Both carry `weight` (n_classes, width): what a class takes of a feature.
"""

import torch
from torch import Tensor, nn

from tuner.qpm.program_input import SMALLEST_STD


class BinaryHead(nn.Module):
    """logits = W (x - mu) / max(sigma, 1e-6), with W binary and everything frozen
    (docs/explanation/method.md#finetune-stage).

    Args:
        n_classes: rows of W.
        n_features: columns of W.
    """

    features: Tensor
    assignment: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, n_classes: int, n_features: int) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(n_features, dtype=torch.int64))
        self.register_buffer("assignment", torch.zeros(n_classes, n_features, dtype=torch.bool))
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("std", torch.ones(n_features))

    @property
    def weight(self) -> Tensor:
        """W as numbers, (n_classes, n_features)."""
        return self.assignment.to(self.mean.dtype)

    def standardise(self, pooled: Tensor) -> Tensor:
        """The z-scores of pooled features, (n, n_features), by the dense stage's mean and deviation."""
        return (pooled - self.mean) / self.std.clamp(min=SMALLEST_STD)

    def forward(self, pooled: Tensor) -> Tensor:
        """(n, n_features) -> logits (n, n_classes)."""
        return self.standardise(pooled) @ self.weight.T
