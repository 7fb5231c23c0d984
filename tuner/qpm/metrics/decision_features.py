"""Decision features: how many features does a person have to look at to follow a decision
(docs/explanation/method.md#decision-features)?"""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import ImageMetric

if TYPE_CHECKING:
    from torch import Tensor

_CELLS = 20_000_000  # numbers in memory at a time: images x features x classes


def decision_features(inputs: "Tensor", weight: "Tensor", logits: "Tensor", predicted: "Tensor") -> "Tensor":
    """The number of features, most telling first, from which on the prediction is the final one, (n,).

    How telling a feature is: |(V[c,j] - mean_d V[d,j]) z_j|, with c the predicted class. Those not yet looked at count
    as off. A tie is no prediction yet.

    Args:
        inputs: z, by how much the head's inputs exceed those of features that are off, (n, width).
        weight: V, (n_classes, width).
        logits: (n, n_classes); what z and V do not explain is what they are where all features are off.
        predicted: (n,) int64, the largest logit.
    """
    import torch

    size = max(1, _CELLS // weight.numel())
    parts = [slice(start, start + size) for start in range(0, len(inputs), size)]
    return torch.cat([_count(inputs[rows], weight, logits[rows], predicted[rows]) for rows in parts])


def _count(z: "Tensor", weight: "Tensor", logits: "Tensor", predicted: "Tensor") -> "Tensor":
    telling = ((weight[predicted] - weight.mean(0)) * z).abs()
    order = telling.argsort(dim=1, descending=True, stable=True)
    steps = z.gather(1, order).unsqueeze(2) * weight.T[order]  # (n, width, n_classes)
    off = (logits - z @ weight.T).unsqueeze(1)
    known = steps.cumsum(1).add_(off)
    index = predicted.reshape(-1, 1, 1).expand(-1, known.shape[1], 1)
    own = known.gather(2, index)
    leads = own.squeeze(2) > known.scatter_(2, index, -float("inf")).amax(2)
    leads[:, -1] = True  # with all of them it is the prediction, whatever rounding says
    settled = leads.flip(1).int().cumprod(1).sum(1)  # how many of the last ones it leads without a break
    return (leads.shape[1] - settled + 1).to(logits)


METRICS = (
    ImageMetric(
        name="decision_features",
        heading="decision",
        help="features to look at, most telling first, until the decision stands",
        unit="features a decision",
        direction="min",
        low=1.0,
        high=100.0,
        formula="fewest features, by |(V[c, j] - mean V[d, j]) z[j]|, from which on they alone give the prediction",
        source="docs/explanation/method.md#decision-features",
        function=lambda images: decision_features(images.inputs, images.weight, images.logits, images.predicted),
    ),
)
