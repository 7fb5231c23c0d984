"""Plausibility: does the model look at the object (docs/explanation/method.md#plausibility)?

Share of a predicted class's saliency that falls on the object mask, on the token grid.
"""

from typing import TYPE_CHECKING

from tuner.base.metric import MASKS
from tuner.qpm.metrics.kinds import ImageBatch, ImageMetric

if TYPE_CHECKING:
    from torch import Tensor

MASK_THRESHOLD = 0  # of 255: a token that touches the object belongs to it


def class_saliency(maps: "Tensor", class_weight: "Tensor") -> "Tensor":
    """G = sum_j V[c,j] M_j, minus its minimum; (n, n_patches).

    Args:
        maps: feature maps, (n, n_patches, width).
        class_weight: head weights of each image's predicted class, (n, width); QPM: the binary row.
    """
    saliency = (maps @ class_weight.unsqueeze(2)).squeeze(2)
    return saliency - saliency.amin(1, keepdim=True)


def object_tokens(masks: "Tensor", *, dilated: bool) -> "Tensor":
    """Which tokens lie on the object, (n, n_patches) float 0 or 1; `dilated` once by a 3 x 3 square.

    Args:
        masks: grey masks on the token grid, (n, grid_h, grid_w) uint8.
    """
    import torch.nn.functional as F

    binary = (masks > MASK_THRESHOLD).float()
    if dilated:
        binary = F.max_pool2d(binary.unsqueeze(1), kernel_size=3, stride=1, padding=1).squeeze(1)
    return binary.flatten(1)


def plausibility(saliency: "Tensor", tokens: "Tensor") -> "Tensor":
    """sum(G * mask) / sum(G) of each image, (n,); 0 where the saliency is constant.

    Args:
        saliency: (n, n_patches) >= 0.
        tokens: (n, n_patches) 0 or 1.
    """
    total = saliency.sum(1)
    return ((saliency * tokens).sum(1) / total.clamp(min=1e-30)).where(total > 0, 0.0)


def ratio_of_maxima(maps: "Tensor", tokens: "Tensor") -> "Tensor":
    """Largest value on the object over the largest one, of each map; 0 where a map is nowhere above 0.

    Args:
        maps: (n, n_patches, ...).
        tokens: (n, n_patches) 0 or 1.
    """
    inside = tokens.reshape(*tokens.shape, *[1] * (maps.ndim - 2)).to(maps)
    largest = maps.amax(1)
    on_object = (maps.clamp(min=0) * inside).amax(1)
    return (on_object / largest.clamp(min=1e-30)).where(largest > 0, 0.0)


def _peak(images: ImageBatch) -> "Tensor":
    saliency = class_saliency(images.maps, images.weight[images.predicted])
    return ratio_of_maxima(saliency, _tokens(images, dilated=True))


def _features(images: ImageBatch) -> "Tensor":
    """The mean over the features that the predicted class uses; NaN where it uses none."""
    used = (images.weight[images.predicted] != 0).to(images.maps)
    return (ratio_of_maxima(images.maps, _tokens(images, dilated=True)) * used).sum(1) / used.sum(1)


def _measure(images: ImageBatch, *, dilated: bool) -> "Tensor":
    saliency = class_saliency(images.maps, images.weight[images.predicted])
    return plausibility(saliency, _tokens(images, dilated=dilated))


def _tokens(images: ImageBatch, *, dilated: bool) -> "Tensor":
    assert images.masks is not None, "it needs masks"
    return object_tokens(images.masks, dilated=dilated)


METRICS = (
    ImageMetric(
        name="plausibility",
        heading="plausibility",
        help="saliency on the object, its mask dilated by one token",
        needs=(MASKS,),
        formula="sum(G · mask) / sum(G), G = sum over features of V[c, j] M[j], minus its minimum",
        source="docs/explanation/method.md#plausibility",
        function=lambda images: _measure(images, dilated=True),
    ),
    ImageMetric(
        name="plausibility_undilated",
        heading="plausible",
        help="saliency on the object itself",
        needs=(MASKS,),
        formula="as plausibility, with the mask as it is",
        source="docs/explanation/method.md#plausibility",
        function=lambda images: _measure(images, dilated=False),
    ),
    ImageMetric(
        name="plausibility_peak",
        heading="plausible_peak",
        help="largest saliency on the object, dilated by one token, relative to the largest of all",
        needs=(MASKS,),
        formula="max(G · mask) / max(G), G and mask as in plausibility",
        source="docs/explanation/method.md#plausibility-variants",
        function=_peak,
    ),
    ImageMetric(
        name="plausibility_features",
        heading="plausible_features",
        help="the same of each feature of the predicted class, their mean",
        needs=(MASKS,),
        formula="mean over features with V[c, j] != 0 of max(M[j] · mask) / max(M[j])",
        source="docs/explanation/method.md#plausibility-variants",
        function=_features,
    ),
    ImageMetric(
        name="mask_share",
        heading="mask_share",
        help="tokens on the object: chance level of undilated plausibility and of pointing",
        needs=(MASKS,),
        no_goal="it is the same for every model",
        formula="share of tokens on the mask",
        source="docs/explanation/method.md#plausibility",
        function=lambda images: _tokens(images, dilated=False).mean(1),
    ),
)
