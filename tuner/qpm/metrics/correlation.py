"""Correlation: is there another feature that says the same (METHOD 6.7)?"""

import torch.nn.functional as F
from torch import Tensor


def correlation(features: Tensor) -> float | None:
    """Mean over features of the largest uncentred cosine similarity to another; None for a single feature.

    Args:
        features: raw pooled features of train, (n, width).
    """
    if features.shape[1] < 2:
        return None
    columns = F.normalize(features, dim=0, eps=1e-8)
    similarity = (columns.T @ columns).fill_diagonal_(0.0)
    return float(similarity.amax(1).mean())
