"""Parts: does a feature name one part of the object, as people have marked them (docs/explanation/method.md#parts)?"""

from typing import TYPE_CHECKING

from tuner.base.metric import PARTS
from tuner.qpm.metrics.kinds import FeatureMetric, TrainFeatures
from tuner.qpm.metrics.peaks import top_images

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 1 / 7  # side of the window around a peak, of the image's side: 32 of 224 pixels


def part_consistency(near: "Tensor") -> "Tensor":
    """Share of images whose visible part nearest to the peak is the one that is nearest most often.

    Args:
        near: squared distances of parts from the peak in a feature's top images, (n, n_parts); infinite for hidden
            ones, at least one finite in each row.
    """
    return near.argmin(1).bincount().max() / len(near)


def purity(inside: "Tensor") -> "Tensor":
    """Share of images with the commonest part within the window around the peak.

    Args:
        inside: which parts are visible and within the window in a feature's top images, (n, n_parts) bool.
    """
    return inside.double().mean(0).max()


def of_features(train: TrainFeatures) -> dict[str, float]:
    """Both, as means over the features that fire in two images with a visible part; empty if there are none."""
    import torch

    assert train.parts is not None, "it needs parts"
    marked = (train.parts[:, :, 2] > 0).any(1)
    features, peaks, parts = train.features[marked], train.peaks[marked], train.parts[marked]
    height, width = train.grid
    x, y, visible = parts[:, :, 0], parts[:, :, 1], parts[:, :, 2] > 0
    rows, fires = top_images(features)
    found = []
    for j in range(features.shape[1]):
        images = rows[fires[:, j], j]
        if len(images) < 2:
            continue
        peak = peaks[images, j].unsqueeze(1)
        dx, dy = x[images] - (peak % width + 0.5), y[images] - (peak // width + 0.5)
        near = (dx.square() + dy.square()).where(visible[images], float("inf"))
        inside = visible[images] & (dx.abs() <= WINDOW * width / 2) & (dy.abs() <= WINDOW * height / 2)
        found.append(torch.stack([part_consistency(near).double(), purity(inside)]))
    if not found:
        return {}
    means = torch.stack(found).mean(0)
    return {"part_consistency": float(means[0]), "purity": float(means[1])}


METRICS = (
    FeatureMetric(
        name="part_consistency",
        heading="same_part",
        help="top images of a feature whose peak is nearest to the same part",
        needs=(PARTS,),
        formula="mean over features of the share of ten top images whose part nearest to the peak is the commonest",
        source="docs/explanation/method.md#parts",
        function=lambda train: of_features(train).get("part_consistency"),
    ),
    FeatureMetric(
        name="purity",
        heading="purity",
        help="top images of a feature with its commonest part at the peak",
        needs=(PARTS,),
        formula="mean over features of max over parts of the share of ten top images with it within 1/7 of the image",
        source="docs/explanation/method.md#parts",
        function=lambda train: of_features(train).get("purity"),
    ),
)
