"""Compactness: how many features a person has to learn, and how many explain a class (METHOD 6.6)."""

from torch import Tensor


def used_features(weight: Tensor) -> Tensor:
    """Which features have a nonzero head weight, (width,) bool; only these count in any metric."""
    return (weight != 0).any(0)


def features_per_class(weight: Tensor) -> float:
    """Mean number of nonzero head weights of a class; `weight` is (n_classes, width)."""
    return float((weight != 0).sum(1).float().mean())
