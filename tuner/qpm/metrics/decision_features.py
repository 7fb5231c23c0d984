"""Decision features: how many features does a person have to look at to follow a decision
(docs/explanation/method.md#decision-features)?"""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import ImageBatch, ImageMetric

if TYPE_CHECKING:
    from torch import Tensor


def decision_features(contributions: "Tensor", logits: "Tensor", predicted: "Tensor") -> "Tensor":
    """The fewest contributions to the predicted class, largest first, that beat the full logit of any other, (n,).

    The logit of the predicted class rises with each positive contribution and falls with the negative ones after
    them, down to its full value, which wins. So once ahead it stays ahead, and no more than all positive ones count.

    Args:
        contributions: to the predicted class, head weight times head input, (n, width).
        logits: (n, n_classes); what contributions do not explain is the bias.
        predicted: (n,) int64, the largest logit.
    """
    own = logits.gather(1, predicted.unsqueeze(1))
    others = logits.scatter(1, predicted.unsqueeze(1), -float("inf")).amax(1, keepdim=True)
    bias = own - contributions.sum(1, keepdim=True)
    ahead = bias + contributions.sort(1, descending=True).values.cumsum(1) > others
    most = (contributions > 0).sum(1).clamp(min=1)
    # a sum in another order may round to the other side, and equal logits are never ahead: all positive ones, then
    first = ahead.int().argmax(1).add(1).where(ahead.any(1), most)
    return first.minimum(most).to(logits)


def _measure(images: ImageBatch) -> "Tensor":
    return decision_features(images.weight[images.predicted] * images.inputs, images.logits, images.predicted)


METRICS = (
    ImageMetric(
        name="decision_features",
        heading="decision",
        help="features of the predicted class that suffice for the decision",
        unit="features a decision",
        direction="min",
        low=1.0,
        high=50.0,
        formula="fewest contributions V[c, j] z[j], largest first, whose sum beats the full logit of every other class",
        source="docs/explanation/method.md#decision-features",
        function=_measure,
    ),
)
