"""Consistency: does a feature mean the same thing in every image, and in every class that uses it
(docs/explanation/method.md#consistency)?

It needs no labels of parts: whether two places show the same thing is for the frozen backbone to say.
"""

from typing import TYPE_CHECKING

from tuner.base.metric import PLACES
from tuner.qpm.metrics.kinds import FeatureMetric, TrainFeatures
from tuner.qpm.metrics.peaks import top_images, top_images_of_classes

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.features.stored_tokens import StoredTokens

_CHUNK = 256  # images whose tokens are brought to float32 at a time


def mean_token(tokens: "Tensor | StoredTokens") -> "Tensor":
    """The mean over all images and patches, (dim,) float32; `tokens` are (n, n_patches, dim)."""
    import torch

    chunks = (tokens[start : start + _CHUNK].float() for start in range(0, len(tokens), _CHUNK))
    return torch.stack([chunk.mean(1).sum(0) for chunk in chunks]).sum(0) / len(tokens)


def consistency(features: "Tensor", peaks: "Tensor", tokens: "Tensor | StoredTokens") -> float | None:
    """Mean cosine of the centred backbone tokens under a feature's peaks in pairs of its top images.

    None if no feature fires in two images.

    Args:
        features: raw pooled features, (n, width).
        peaks: the patch of each feature's peak, (n, width) int64.
        tokens: (n, n_patches, dim); their mean over all images and patches is subtracted, so that tokens that have
            nothing in common but being tokens have a cosine of about 0.
    """
    import torch

    mean = mean_token(tokens).to(features.device)
    rows, fires = top_images(features)  # (n_top, width)
    found = []
    for j in range(features.shape[1]):
        images = rows[fires[:, j], j]
        if len(images) >= 2:
            found.append(_between(_directions(_at(tokens, images, peaks[images, j]), mean)))
    return float(torch.stack(found).mean()) if found else None


def consistency_across_classes(
    features: "Tensor", peaks: "Tensor", tokens: "Tensor | StoredTokens", labels: "Tensor", weight: "Tensor"
) -> float | None:
    """The same between the top images of different classes that use the feature.

    None if no feature fires in two classes that use it.

    Args:
        features: raw pooled features, (n, width).
        peaks: the patch of each feature's peak, (n, width) int64.
        tokens: (n, n_patches, dim).
        labels: true classes, (n,) int64.
        weight: head weights, (n_classes, width).
    """
    import torch

    mean = mean_token(tokens).to(features.device)
    rows, fires = top_images_of_classes(features, labels, len(weight))  # (n_classes, n_top, width)
    found = []
    for j in range(features.shape[1]):
        classes = (weight[:, j] != 0) & fires[:, :, j].any(1)
        if classes.sum() >= 2:
            images, counts = rows[classes, :, j], fires[classes, :, j].float().unsqueeze(2)
            each = _directions(_at(tokens, images, peaks[images, j]), mean)  # (n_using, n_top, dim)
            found.append(_between((each * counts).sum(1) / counts.sum(1)))
    return float(torch.stack(found).mean()) if found else None


def _at(tokens: "Tensor | StoredTokens", images: "Tensor", places: "Tensor") -> "Tensor":
    """The tokens at some places, where the places are; streamed tokens lie in main memory or on the disk."""
    return tokens[images.to(tokens.device), places.to(tokens.device)].to(places.device)


def _directions(tokens: "Tensor", mean: "Tensor") -> "Tensor":
    import torch.nn.functional as F

    return F.normalize(tokens.float() - mean, dim=-1)


def _between(vectors: "Tensor") -> "Tensor":
    """Mean inner product of two different ones of (n, dim): the square of a sum has each pair twice."""
    n = len(vectors)
    return (vectors.sum(0).square().sum() - vectors.square().sum()) / (n * (n - 1))


def _measure(train: TrainFeatures) -> float | None:
    return None if train.tokens is None else consistency(train.features, train.peaks, train.tokens)


def _across(train: TrainFeatures) -> float | None:
    if train.tokens is None:
        return None
    return consistency_across_classes(train.features, train.peaks, train.tokens, train.labels, train.weight)


METRICS = (
    FeatureMetric(
        name="consistency",
        heading="consistent",
        help="likeness of what a feature peaks at, over its ten top images",
        low=-100.0,
        needs=(PLACES,),
        formula="mean over features and pairs of top images of the cosine of the centred backbone tokens at the peaks",
        source="docs/explanation/method.md#consistency",
        function=_measure,
    ),
    FeatureMetric(
        name="consistency_across_classes",
        heading="shared",
        help="likeness of what a feature peaks at between the classes that use it",
        low=-100.0,
        needs=(PLACES,),
        formula="as consistency, between the three top images each of pairs of classes with V[c, j] != 0",
        source="docs/explanation/method.md#consistency",
        function=_across,
    ),
)
