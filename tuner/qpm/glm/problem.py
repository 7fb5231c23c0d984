"""The smooth part of the problem: the mean cross-entropy of a linear model, with its gradient
(docs/explanation/method.md#glm-path).

A model is one matrix, theta (n_classes, n_features + 1), whose last column is the bias.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Problem:
    """Standardised features and the classes that a linear model is to tell from them.

    Attributes:
        inputs: z-scores and a last column of ones, (n, n_features + 1) float64.
        labels: (n,) int64; every class occurs.
        n_classes: number of classes.
    """

    inputs: Tensor
    labels: Tensor
    n_classes: int

    @classmethod
    def of(cls, z: Tensor, labels: Tensor, n_classes: int) -> "Problem":
        """The problem of z-scores (n, n_features), on their device."""
        ones = torch.ones(len(z), 1, dtype=torch.float64, device=z.device)
        return cls(torch.cat([z.double(), ones], dim=1), labels, n_classes)

    @property
    def n_features(self) -> int:
        """Columns of z."""
        return self.inputs.shape[1] - 1

    def only(self, features: Tensor) -> "Problem":
        """The problem with these features alone, (n,) int64 columns of z, in this order."""
        return replace(self, inputs=torch.cat([self.inputs[:, features], self.inputs[:, -1:]], dim=1))

    def null_model(self) -> Tensor:
        """The best model without features, theta (n_classes, n_features + 1): its biases are the logs of the classes'
        shares."""
        theta = self.inputs.new_zeros(self.n_classes, self.inputs.shape[1])
        theta[:, -1] = (torch.bincount(self.labels, minlength=self.n_classes) / len(self.labels)).log()
        return theta

    def loss(self, logits: Tensor) -> Tensor:
        """Mean cross-entropy, a scalar, of logits (n, n_classes)."""
        own = logits.gather(1, self.labels.unsqueeze(1)).squeeze(1)
        return (logits.logsumexp(1) - own).mean()

    def gradient(self, logits: Tensor) -> Tensor:
        """The gradient of the mean cross-entropy by theta, (n_classes, n_features + 1)."""
        residual = torch.softmax(logits, dim=1)
        residual[torch.arange(len(residual), device=residual.device), self.labels] -= 1.0
        return residual.T @ self.inputs / len(residual)
