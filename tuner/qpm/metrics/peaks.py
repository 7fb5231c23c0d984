"""The images that show what a feature means: those where it is strongest, which metrics of its peaks look at."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

TOP_IMAGES = 10


def top_images(features: "Tensor", n_top: int = TOP_IMAGES) -> tuple["Tensor", "Tensor"]:
    """The images where each feature is largest, the earlier of equal ones first.

    Args:
        features: raw pooled features, (n, width).
        n_top: how many.

    Returns:
        Their rows, (min(n_top, n), width) int64, and whether the feature fires there, above its minimum over all
        images, likewise bool.
    """
    values, rows = features.sort(dim=0, descending=True, stable=True)
    return rows[:n_top], values[:n_top] > features.amin(0)
