"""Accuracy: how often the class with the highest score is the right one (docs/explanation/method.md#accuracy)."""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import ImageBatch, ImageMetric

if TYPE_CHECKING:
    from torch import Tensor


def is_right(images: ImageBatch) -> "Tensor":
    """Whether the predicted class of each image is its label, (n,) float 0 or 1."""
    return (images.predicted == images.labels).float()


METRICS = (
    ImageMetric(
        name="accuracy",
        heading="accuracy",
        help="top-1 on the held-out images",
        formula="share of images whose class with the highest logit is their label",
        source="docs/explanation/method.md#accuracy",
        is_share=True,
        function=is_right,
    ),
)
