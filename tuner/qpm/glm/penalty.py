"""The elastic net, on single weights or on whole feature columns: its proximal step and its optimality condition
(docs/explanation/method.md#glm-path)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ElasticNet:
    """strength * (alpha * size + (1 - alpha) / 2 * sum of squares); the bias, the last column of theta, is free.

    Attributes:
        strength: lambda.
        alpha: share of the part that makes weights zero.
        grouped: whether the size is the sum over features of the norms of their columns, so that a feature leaves all
            classes at once; otherwise it is the sum of the absolute weights.
    """

    strength: float
    alpha: float
    grouped: bool

    @property
    def threshold(self) -> float:
        """The size of a gradient up to which a weight, or a column, stays zero."""
        return self.strength * self.alpha

    def sizes(self, weight: Tensor) -> Tensor:
        """What is compared with the threshold: norms of columns (1, n_features), or absolute weights."""
        return weight.norm(dim=0, keepdim=True) if self.grouped else weight.abs()

    def value(self, theta: Tensor) -> Tensor:
        """The penalty of a model, a scalar."""
        weight = theta[:, :-1]
        ridge = 0.5 * self.strength * (1.0 - self.alpha) * weight.square().sum()
        return self.threshold * self.sizes(weight).sum() + ridge

    def step(self, theta: Tensor, length: float) -> Tensor:
        """The proximal step: the minimiser of length * penalty + half the squared distance to theta."""
        weight = theta[:, :-1]
        sizes = self.sizes(weight)
        kept = (1.0 - length * self.threshold / sizes.clamp(min=1e-300)).clamp(min=0.0)
        shrunk = weight * kept / (1.0 + length * self.strength * (1.0 - self.alpha))
        return torch.cat([shrunk, theta[:, -1:]], dim=1)

    def violation(self, theta: Tensor, gradient: Tensor) -> float:
        """How far a model is from satisfying the optimality condition: the largest size of a subgradient of the whole
        objective, 0 at the minimiser.

        Args:
            theta: (n_classes, n_features + 1).
            gradient: of the mean cross-entropy there, likewise.
        """
        weight = theta[:, :-1]
        pull = gradient[:, :-1] + self.strength * (1.0 - self.alpha) * weight
        sizes = self.sizes(weight)
        active = self.sizes(pull + self.threshold * weight / sizes.clamp(min=1e-300))
        idle = (self.sizes(pull) - self.threshold).clamp(min=0.0)
        worst = torch.where(sizes > 0, active, idle).amax() if weight.numel() else gradient.new_zeros(())
        return float(torch.maximum(worst, gradient[:, -1].abs().amax()))
