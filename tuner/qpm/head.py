"""The heads from features to classes besides the dense stage's linear one: QPM's fixed binary one, and a sparse one.

All carry `weight` (n_classes, width): what a class takes of a feature.
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

    Attributes:
        rectified: whether a feature below its mean adds 0 instead of its negative z-score
            (docs/explanation/method.md#chiqpm).
    """

    features: Tensor
    assignment: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, n_classes: int, n_features: int) -> None:
        super().__init__()
        self.rectified = False
        self.register_buffer("features", torch.zeros(n_features, dtype=torch.int64))
        self.register_buffer("assignment", torch.zeros(n_classes, n_features, dtype=torch.bool))
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("std", torch.ones(n_features))

    @property
    def weight(self) -> Tensor:
        """W as numbers, (n_classes, n_features)."""
        return self.assignment.to(self.mean.dtype)

    def standardise(self, pooled: Tensor) -> Tensor:
        """What pooled features add to the logits of their classes, (n, n_features): their z-scores by the dense stage's
        mean and deviation, or what of these is above 0."""
        z = (pooled - self.mean) / self.std.clamp(min=SMALLEST_STD)
        return z.clamp(min=0.0) if self.rectified else z

    def forward(self, pooled: Tensor) -> Tensor:
        """(n, n_features) -> logits (n, n_classes)."""
        return self.standardise(pooled) @ self.weight.T


class SparseHead(nn.Module):
    """logits = W (x - mu) / max(sigma, 1e-6) + b, with a few signed weights (docs/explanation/method.md#sldd).

    W and b are frozen, mu and sigma are trained.

    Args:
        n_classes: rows of W.
        n_features: columns of W.
    """

    features: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, n_classes: int, n_features: int) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(n_features, dtype=torch.int64))
        self.register_buffer("weight", torch.zeros(n_classes, n_features))
        self.register_buffer("bias", torch.zeros(n_classes))
        self.mean = nn.Parameter(torch.zeros(n_features))
        self.std = nn.Parameter(torch.ones(n_features))

    def standardise(self, pooled: Tensor) -> Tensor:
        """The z-scores of pooled features, (n, n_features)."""
        return (pooled - self.mean) / self.std.clamp(min=SMALLEST_STD)

    def forward(self, pooled: Tensor) -> Tensor:
        """(n, n_features) -> logits (n, n_classes)."""
        return self.standardise(pooled) @ self.weight.T + self.bias
