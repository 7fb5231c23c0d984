"""SID@5: do a class's five strongest features look at different places (docs/explanation/method.md#sid)?"""

from typing import TYPE_CHECKING

from tuner.base.metric import PLACES, SizeNeed
from tuner.qpm.metrics.kinds import ImageMetric

if TYPE_CHECKING:
    from torch import Tensor

TOP = 5


def sid(maps: "Tensor", weight: "Tensor", predicted: "Tensor") -> "Tensor":
    """SID of each image, (n,); NaN where the predicted class has fewer than five nonzero weights.

    Each map is divided by its mean absolute value and softmaxed over positions; the score is the sum over
    positions of the largest of the five, over five: 1 for disjoint features, 1/5 for equal ones. Of equal
    weights the lower index counts as the stronger.

    Args:
        maps: feature maps, (n, n_patches, width).
        weight: head weights, (n_classes, width), signed.
        predicted: predicted classes, (n,) int64.
    """
    values = maps.new_full((len(maps),), float("nan"))
    applies = ((weight != 0).sum(1) >= TOP)[predicted]
    if not applies.any():
        return values
    strongest = weight.argsort(dim=1, descending=True, stable=True)[:, :TOP]
    index = strongest[predicted[applies]].unsqueeze(1).expand(-1, maps.shape[1], -1)
    chosen = maps[applies].gather(2, index)  # (n_applicable, n_patches, 5)
    scaled = chosen / chosen.abs().mean(1, keepdim=True).clamp(min=1e-5)
    values[applies] = scaled.softmax(dim=1).amax(2).sum(1) / TOP
    return values


METRICS = (
    ImageMetric(
        name="sid5",
        heading="sid5",
        help="spatial diversity of a class's five strongest features",
        low=20.0,
        needs=(SizeNeed("features_per_class", TOP), PLACES),
        formula="(1/5) sum over positions of the largest softmax value among the five strongest features",
        source="docs/explanation/method.md#sid",
        function=lambda images: sid(images.maps, images.weight, images.predicted),
    ),
)
