"""Compactness: how many features a person has to learn, and how many explain a class
(docs/explanation/method.md#compactness)."""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import HeadMetric

if TYPE_CHECKING:
    from torch import Tensor


def used_features(weight: "Tensor") -> "Tensor":
    """Which features have a nonzero head weight, (width,) bool; only these count in any metric."""
    return (weight != 0).any(0)


def features_per_class(weight: "Tensor") -> float:
    """Mean number of nonzero head weights of a class; `weight` is (n_classes, width)."""
    return float((weight != 0).sum(1).float().mean())


METRICS = (
    HeadMetric(
        name="n_features_used",
        heading="n_features_used",
        help="features with a nonzero head weight",
        unit="features",
        direction="min",
        high=512.0,
        formula="number of columns of the head with a nonzero weight",
        source="docs/explanation/method.md#compactness",
        function=lambda head: float(used_features(head.weight).sum()),
    ),
    HeadMetric(
        name="features_per_class_used",
        heading="features_per_class_used",
        help="mean nonzero head weights of a class",
        unit="features",
        direction="min",
        high=50.0,
        formula="nonzero weights of the head / number of classes",
        source="docs/explanation/method.md#compactness",
        function=lambda head: features_per_class(head.weight),
    ),
)
