"""Top share: how much of a decision is one feature's doing (docs/explanation/method.md#top-share)?"""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import ImageBatch, ImageMetric

if TYPE_CHECKING:
    from torch import Tensor


def top_share(contributions: "Tensor") -> "Tensor":
    """Largest contribution over the sum of all, by absolute value, (n,); NaN where nothing contributes.

    Args:
        contributions: to the predicted class, (n, width): head weight times by how much the head input exceeds that
            of a feature that is off.
    """
    sizes = contributions.abs()
    return sizes.amax(1) / sizes.sum(1)


def _measure(images: ImageBatch) -> "Tensor":
    return top_share(images.weight[images.predicted] * images.inputs)


METRICS = (
    ImageMetric(
        name="top_share",
        heading="top_share",
        help="share of the strongest feature in all contributions to the predicted class",
        no_goal="a decision may be clear by one feature or by several",
        formula="max over features of |V[c, j] d[j]| / sum of them, d by how much a feature is on",
        source="docs/explanation/method.md#top-share",
        function=_measure,
    ),
)
