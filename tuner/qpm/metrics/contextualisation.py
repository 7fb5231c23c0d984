"""Patch-CLS cosine: how much of the whole image do a backbone's patches know
(docs/explanation/method.md#patch-cls-cosine)?"""

from typing import TYPE_CHECKING

from tuner.base.metric import CLS, PLACES
from tuner.qpm.metrics.kinds import ImageBatch, ImageMetric

if TYPE_CHECKING:
    from torch import Tensor


def patch_cls_cosine(tokens: "Tensor", cls: "Tensor") -> "Tensor":
    """Mean cosine of patch tokens and CLS, (n,).

    Args:
        tokens: (n, n_patches, dim).
        cls: (n, dim).
    """
    import torch.nn.functional as F

    return F.cosine_similarity(tokens.float(), cls.float().unsqueeze(1), dim=2).mean(1)


def _measure(images: ImageBatch) -> "Tensor":
    assert images.tokens is not None, "it needs a backbone"
    assert images.cls is not None, "it needs a CLS token"
    return patch_cls_cosine(images.tokens, images.cls)


METRICS = (
    ImageMetric(
        name="patch_cls_cosine",
        heading="patch_cls",
        help="likeness of the backbone's patch tokens and its CLS token",
        low=-100.0,
        needs=(CLS, PLACES),
        no_goal="it describes the backbone, and is the same for all models on it",
        formula="mean over patches of the cosine of the patch token and CLS",
        source="docs/explanation/method.md#patch-cls-cosine",
        function=_measure,
    ),
)
