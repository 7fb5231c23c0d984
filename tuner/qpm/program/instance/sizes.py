"""Checks by arithmetic, before any search, which sizes of a program are feasible."""

from math import comb

from tuner.errors import InfeasibleError


def check_feasible(n_candidates: int, n_features: int, features_per_class: int, n_classes: int) -> None:
    """Refuse by arithmetic what no selection can satisfy: 0 < k <= N <= candidates and binomial(N, k) >= classes.

    Args:
        n_candidates: features to choose from.
        n_features: features to be chosen (N).
        features_per_class: features of each class (k).
        n_classes: number of classes (C).

    Raises:
        InfeasibleError: naming the values and the rule.
    """
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
