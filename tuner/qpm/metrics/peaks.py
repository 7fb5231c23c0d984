"""The images that show what a feature means: those where it is strongest, which metrics of its peaks look at."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

TOP_IMAGES = 10
TOP_OF_A_CLASS = 3


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


def top_images_of_classes(
    features: "Tensor", labels: "Tensor", n_classes: int, n_top: int = TOP_OF_A_CLASS
) -> tuple["Tensor", "Tensor"]:
    """The images of each class where each feature is largest, the earlier of equal ones first.

    Args:
        features: raw pooled features, (n, width).
        labels: classes, (n,) int64.
        n_classes: number of classes, present or not.
        n_top: how many of each.

    Returns:
        Their rows, (n_classes, n_top, width) int64, and whether there is such an image and the feature fires there,
        above its minimum over all images, likewise bool.
    """
    rows = labels.new_zeros(n_classes, n_top, features.shape[1])
    fires = rows.bool()
    lowest = features.amin(0)
    for label in range(n_classes):
        of_it = (labels == label).nonzero().squeeze(1)
        values, order = features[of_it].sort(dim=0, descending=True, stable=True)
        rows[label, : len(of_it)] = of_it[order[:n_top]]
        fires[label, : len(of_it)] = values[:n_top] > lowest
    return rows, fires
