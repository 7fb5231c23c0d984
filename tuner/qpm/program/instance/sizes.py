"""Checks by arithmetic, before any search, which sizes of a program are feasible."""

from math import comb
from numbers import Integral

from tuner.errors import InfeasibleError, UsageError


def check_feasible(n_candidates: int, n_features: int, features_per_class: int, n_classes: int) -> None:
    """Refuse by arithmetic what no selection can satisfy: 0 < k <= N <= candidates and binomial(N, k) >= classes.

    Args:
        n_candidates: features to choose from.
        n_features: features to be chosen (N).
        features_per_class: features of each class (k).
        n_classes: number of classes (C).

    Raises:
        UsageError: a size is no whole number; InfeasibleError, naming the values and the rule.
    """
    for name, size in (("n_features", n_features), ("features_per_class", features_per_class)):
        require_whole(name, size)
    if n_classes < 1:
        raise InfeasibleError(f"{n_classes} classes", "at least one class", "give relevance one column per class")
    if features_per_class < 1:
        raise InfeasibleError(f"features_per_class = {features_per_class}", "at least 1", "raise features_per_class")
    if features_per_class > n_features:
        raise InfeasibleError(
            f"features_per_class = {features_per_class} is above n_features = {n_features}",
            "features_per_class <= n_features",
            "lower features_per_class or raise n_features",
        )
    if n_features > n_candidates:
        raise InfeasibleError(
            f"n_features = {n_features} is above the {n_candidates} candidates",
            "n_features <= candidates (features with no deviation do not count)",
            "lower n_features or widen the adapter",
        )
    if comb(n_features, features_per_class) < n_classes:
        raise InfeasibleError(
            f"{n_features} features have only {comb(n_features, features_per_class)} subsets of "
            f"{features_per_class}, for {n_classes} classes",
            "binomial(n_features, features_per_class) >= classes, so that every class gets its own subset",
            "raise n_features, or bring features_per_class nearer to half of it",
        )


def require_whole(name: str, size: object) -> None:
    """Refuse a size that is no whole number, such as 5.0.

    Raises:
        UsageError: naming it.
    """
    if not isinstance(size, Integral) or isinstance(size, bool):
        raise UsageError(f"{name} = {size!r}", "a whole number", f"give {name} as an integer")
