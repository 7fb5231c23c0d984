"""The losses of both trained stages: cross-entropy, feature diversity, sparsity (docs/explanation/method.md#losses).

Terms of weight zero are never computed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from tuner.qpm.classifier import Activations


def diversity_loss(activations: Activations, weight: Tensor) -> Tensor:
    """L_div = -(1/B) sum_b sum_p max_j (w[b,j] a[b,j] S[b,j,p]) (docs/explanation/method.md#diversity-loss).

    With c the predicted class, w[b,j] = |V[c,j]| / (||V[c]|| + 1e-5); a is a feature relative to the image's
    largest; S is the softmax of a map over positions. It falls when the features that matter fire at
    different places. Gradient flows through all three factors; which feature wins a position is found
    without gradient, so that only the winners' values enter the graph.

    Args:
        activations: of a batch of B images; `pooled` as the head saw it, after dropout.
        weight: head weights V, (n_classes, width).
    """
    maps, pooled, logits = activations
    importance = weight.abs() / (weight.norm(dim=1, keepdim=True) + 1e-5)
    strength = pooled / pooled.amax(1, keepdim=True).clamp(min=1e-6)
    factor = importance[logits.argmax(1)] * strength  # (n, width)
    log_mass = maps.logsumexp(1)  # (n, width); softmax over positions is exp(maps - log_mass)
    with torch.no_grad():
        winner = (torch.exp(maps - log_mass.unsqueeze(1)) * factor.unsqueeze(1)).argmax(2)  # (n, n_patches)
    share = torch.exp(maps.gather(2, winner.unsqueeze(2)).squeeze(2) - log_mass.gather(1, winner))
    covered: Tensor = factor.gather(1, winner) * share
    return -covered.sum() / len(maps)


def loss_terms(
    activations: Activations, labels: Tensor, weight: Tensor, *, diversity: float, l1: float
) -> dict[str, Tensor]:
    """The weighted terms whose sum is trained on.

    With ReLU, average pooling and no dropout the published L1-FM and L1-FV are both the mean of the maps, so
    there is one knob: `l1` times the mean absolute map.

    Args:
        activations: of a batch.
        labels: (n,) int64.
        weight: head weights, (n_classes, width).
        diversity: weight of the diversity loss (beta).
        l1: weight of the mean absolute feature map.
    """
    terms = {"cross_entropy": F.cross_entropy(activations.logits, labels)}
    if diversity:
        terms["diversity"] = diversity * diversity_loss(activations, weight)
    if l1:
        terms["l1"] = l1 * activations.maps.abs().mean()
    return terms
