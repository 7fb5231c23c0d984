"""Calibration: do probabilities say how often a model is right, once one temperature is set
(docs/explanation/method.md#calibration)?"""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import PredictionMetric, Predictions

if TYPE_CHECKING:
    from torch import Tensor

N_BINS = 15
LOG_RANGE = 7.0  # temperatures from e^-7 to e^7


def calibrated(logits: "Tensor", labels: "Tensor") -> "Tensor | None":
    """Log-probabilities after one temperature, (n, n_classes) float64; None for fewer than two images.

    No image has a say in its own temperature: each half of the images, every second one of a class, gets the one
    that suits the other half best.

    Args:
        logits: (n, n_classes).
        labels: true classes, (n,) int64.
    """
    import torch

    if len(labels) < 2:
        return None
    order = labels.argsort(stable=True)
    second = torch.zeros_like(labels, dtype=torch.bool)
    second[order[1::2]] = True
    scaled = logits.double().clone()
    for half in (second, ~second):
        scaled[half] /= temperature(logits[~half], labels[~half])
    return scaled.log_softmax(1)


def temperature(logits: "Tensor", labels: "Tensor") -> float:
    """The temperature of the smallest negative log-likelihood, from e^-7 to e^7.

    Labels are smoothed by 1 / (n + 1), as if one image of n + 1 had any label: images that are all predicted right
    would otherwise call for a temperature of 0.

    Args:
        logits: (n, n_classes), n >= 1.
        labels: (n,) int64.
    """
    from math import exp

    import torch.nn.functional as F
    from scipy.optimize import minimize_scalar

    wide = logits.double()

    def loss(log_t: float) -> float:
        return float(F.cross_entropy(wide / exp(log_t), labels, label_smoothing=1 / (len(labels) + 1)))

    return exp(minimize_scalar(loss, bounds=(-LOG_RANGE, LOG_RANGE), method="bounded").x)


def nll(log_probabilities: "Tensor", labels: "Tensor") -> float:
    """Mean negative log-probability of the true class, in nats."""
    return -float(log_probabilities.gather(1, labels.unsqueeze(1)).mean())


def ece(log_probabilities: "Tensor", labels: "Tensor") -> float:
    """Expected calibration error: mean over images of |accuracy - confidence| of their bin, 15 of equal width."""
    confidence, predicted = log_probabilities.exp().max(1)
    right = (predicted == labels).to(confidence)
    place = (confidence * N_BINS).ceil().long().clamp(1, N_BINS) - 1  # bins open on the left, closed on the right
    off = confidence.new_zeros(N_BINS).index_add_(0, place, right - confidence)
    return float(off.abs().sum() / len(labels))


def _nll(seen: Predictions) -> float | None:
    known = calibrated(seen.logits, seen.labels)
    return None if known is None else nll(known, seen.labels)


def _ece(seen: Predictions) -> float | None:
    known = calibrated(seen.logits, seen.labels)
    return None if known is None else ece(known, seen.labels)


METRICS = (
    PredictionMetric(
        name="nll",
        heading="nll",
        help="surprise at the true class, after one temperature",
        unit="nats",
        direction="min",
        high=10.0,
        formula="mean of -log p[true class], logits divided by the temperature that suits the other half of the images",
        source="docs/explanation/method.md#calibration",
        function=_nll,
    ),
    PredictionMetric(
        name="ece",
        heading="ece",
        help="gap between confidence and accuracy, after one temperature",
        direction="min",
        formula="sum over 15 bins of confidence of |right - confidence| / n, after the same temperature as nll",
        source="docs/explanation/method.md#calibration",
        function=_ece,
    ),
)
