"""Correlation: is there another feature that says the same (docs/explanation/method.md#correlation)?"""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import FeatureMetric

if TYPE_CHECKING:
    from torch import Tensor


def correlation(features: "Tensor") -> float | None:
    """Mean over features of the largest uncentred cosine similarity to another; None for a single feature.

    Args:
        features: raw pooled features of train, (n, width).
    """
    import torch.nn.functional as F

    if features.shape[1] < 2:
        return None
    columns = F.normalize(features, dim=0, eps=1e-8)
    similarity = (columns.T @ columns).fill_diagonal_(0.0)
    return float(similarity.amax(1).mean())


METRICS = (
    FeatureMetric(
        name="correlation",
        heading="correlation",
        help="mean cosine of a feature with the one most like it",
        direction="min",
        formula="mean over features of the largest cosine of x with another feature",
        source="docs/explanation/method.md#correlation",
        function=lambda train: correlation(train.features),
    ),
)
