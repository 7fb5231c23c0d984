"""The losses of trained stages: cross-entropy, diversity, sparsity, grounding (docs/explanation/method.md#losses).

Terms of weight zero are never computed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from tuner.qpm.classifier import Activations
from tuner.qpm.settings import TrainingConfig


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


def grounding_loss(pooled: Tensor, row: Tensor) -> Tensor:
    """CHiQPM's loss that keeps features quiet in images of classes they do not belong to
    (docs/explanation/method.md#grounding-loss).

    Per image: (2 * mean of x over features not assigned to its class - mean over the assigned ones)
    / max(max_j |x_j|, 0.01); then the mean over images. The factor 2 is that of the published runs. The mean over no
    features, where a class has all of them, is 0.

    Args:
        pooled: x, (n, width).
        row: rows of the binary head of the images' own classes, (n, width), each with at least one 1.
    """
    of_others = (pooled * (1 - row)).sum(1) / (1 - row).sum(1).clamp(min=1)
    own = (pooled * row).sum(1) / row.sum(1)
    largest = pooled.abs().amax(1).clamp(min=0.01)
    return ((2 * of_others - own) / largest).mean()


def loss_terms(activations: Activations, labels: Tensor, weight: Tensor, config: TrainingConfig) -> dict[str, Tensor]:
    """The weighted terms whose sum is trained on.

    Args:
        activations: of a batch; `pooled` as the head saw it, after dropout.
        labels: (n,) int64.
        weight: head weights, (n_classes, width); binary where `grounding` has a weight.
        config: the weights of the terms: `diversity`, `l1`, `l1_vector`, `grounding`.
    """
    terms = {"cross_entropy": F.cross_entropy(activations.logits, labels)}
    if config.diversity:
        terms["diversity"] = config.diversity * diversity_loss(activations, weight)
    if config.l1:
        terms["l1"] = config.l1 * activations.maps.abs().mean()
    if config.l1_vector:
        terms["l1_vector"] = config.l1_vector * activations.pooled.abs().mean()
    if config.grounding:
        terms["grounding"] = config.grounding * grounding_loss(activations.pooled, weight[labels])
    return terms
