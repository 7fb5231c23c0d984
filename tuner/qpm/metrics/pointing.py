"""Pointing: is the place a decision rests on most a place on the object (docs/explanation/method.md#pointing)?"""

from typing import TYPE_CHECKING

from tuner.base.metric import MASKS
from tuner.qpm.metrics.kinds import ImageBatch, ImageMetric
from tuner.qpm.metrics.plausibility import class_saliency, object_tokens

if TYPE_CHECKING:
    from torch import Tensor


def pointing(saliency: "Tensor", tokens: "Tensor") -> "Tensor":
    """Whether the largest value lies on the object, (n,) 0 or 1; 0 where the saliency is constant.

    Args:
        saliency: (n, n_patches), its minimum 0; the first of equal values counts.
        tokens: which patches lie on the object, (n, n_patches) 0 or 1.
    """
    peak = saliency.max(1)
    hit = tokens.gather(1, peak.indices.unsqueeze(1)).squeeze(1)
    return hit.where(peak.values > 0, 0.0)


def _measure(images: ImageBatch) -> "Tensor":
    assert images.masks is not None, "it needs masks"
    saliency = class_saliency(images.maps, images.weight[images.predicted])
    return pointing(saliency, object_tokens(images.masks, dilated=False))


METRICS = (
    ImageMetric(
        name="pointing",
        heading="pointing",
        help="largest saliency on the object (the pointing game)",
        needs=(MASKS,),
        is_share=True,
        formula="share of images whose argmax of G, see plausibility, lies on the mask as it is",
        source="docs/explanation/method.md#pointing",
        function=_measure,
    ),
)
