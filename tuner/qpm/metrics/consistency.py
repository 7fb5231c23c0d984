"""Consistency: does a feature mean the same thing in every image (docs/explanation/method.md#consistency)?

It needs no labels of parts: whether two places show the same thing is for the frozen backbone to say.
"""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import FeatureMetric, TrainFeatures
from tuner.qpm.metrics.peaks import top_images

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK = 256  # images whose tokens are brought to float32 at a time


def consistency(features: "Tensor", peaks: "Tensor", tokens: "Tensor") -> float | None:
    """Mean cosine of the centred backbone tokens under a feature's peaks in pairs of its top images.

    None if no feature fires in two images.

    Args:
        features: raw pooled features, (n, width).
        peaks: the patch of each feature's peak, (n, width) int64.
        tokens: (n, n_patches, dim); their mean over all images and patches is subtracted, so that tokens that have
            nothing in common but being tokens have a cosine of about 0.
    """
    import torch
    import torch.nn.functional as F

    chunks = (tokens[start : start + _CHUNK].float() for start in range(0, len(tokens), _CHUNK))
    mean = torch.stack([chunk.mean(1).sum(0) for chunk in chunks]).sum(0) / len(tokens)
    rows, fires = top_images(features)  # (n_top, width)
    found = []
    for j in range(features.shape[1]):
        images = rows[fires[:, j], j]
        if len(images) < 2:
            continue
        unit = F.normalize(tokens[images, peaks[images, j]].float() - mean, dim=1)
        n = len(unit)
        found.append((unit.sum(0).square().sum() - n) / (n * (n - 1)))  # |sum of units|^2 has each pair twice
    return float(torch.stack(found).mean()) if found else None


def _measure(train: TrainFeatures) -> float | None:
    return None if train.tokens is None else consistency(train.features, train.peaks, train.tokens)


METRICS = (
    FeatureMetric(
        name="consistency",
        heading="consistent",
        help="likeness of what a feature peaks at, over its ten top images",
        low=-100.0,
        formula="mean over features and pairs of top images of the cosine of the centred backbone tokens at the peaks",
        source="docs/explanation/method.md#consistency",
        function=_measure,
    ),
)
