"""Distinctiveness: do the features of a class peak at different places
(docs/explanation/method.md#distinctiveness)? Unlike SID@5 it is defined from two features a class on."""

from typing import TYPE_CHECKING

from tuner.base.metric import PLACES, SizeNeed
from tuner.qpm.metrics.kinds import ImageMetric

if TYPE_CHECKING:
    from torch import Tensor


def distinctiveness(maps: "Tensor", class_weight: "Tensor") -> "Tensor":
    """Share of pairs of a class's features that peak at different patches, (n,); NaN for fewer than two that fire.

    A feature whose map is constant on an image has no peak there. The first of equal values is the peak.

    Args:
        maps: feature maps, (n, n_patches, width).
        class_weight: head weights of each image's predicted class, (n, width).
    """
    peaks = maps.max(1).indices
    fires = (class_weight > 0) & (maps.amax(1) > maps.amin(1))
    at = maps.new_zeros(maps.shape[:2]).scatter_add_(1, peaks, fires.to(maps))
    n = at.sum(1)
    pairs = n * (n - 1)
    together = (at * (at - 1)).sum(1)
    return (1 - together / pairs).where(pairs > 0, float("nan"))


METRICS = (
    ImageMetric(
        name="distinctiveness",
        heading="distinct",
        help="pairs of a class's features that peak at different places",
        needs=(SizeNeed("features_per_class", 2), PLACES),
        formula="share of pairs of features with V[c, j] > 0 whose maps have their largest values at different patches",
        source="docs/explanation/method.md#distinctiveness",
        function=lambda images: distinctiveness(images.maps, images.weight[images.predicted]),
    ),
)
