"""From features and labels to a Problem: relevance, similarity, penalised pairs, locality bias
(docs/explanation/program.md#coefficients).

Two published variants of the pair set: `paper` clamps negative similarities and has a bias; `released` keeps signs,
looks for the threshold on a doubled scale and so penalises five times fewer pairs, each about twice as much.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tuner.errors import UsageError
from tuner.qpm.program.former import understands
from tuner.qpm.program.instance.arrays import Bools, Floats, Ints
from tuner.qpm.program.instance.class_pairs import closest_classes
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.instance.sizes import check_feasible
from tuner.qpm.program.instance.threshold import find_threshold

VARIANTS = ("released", "paper")
_DECIMALS = 12  # of a similarity: with two classes all are +-1, and rounding must not tell them apart
_SAME = 1e-9  # values that differ by less, as a share of the largest, are equal
_LARGE = 1e100  # squares of larger features would not fit
_BIAS_WEIGHT = 0.1 * 10**0.5


def relevance(x: Floats, labels: Ints, n_classes: int) -> Floats:
    """A: Pearson correlation of each feature with each class's indicator, divided by the largest |A|
    (docs/explanation/program.md#coefficients).

    Args:
        x: (n_images, n_candidates) pooled features of the train set.
        labels: (n_images,) in 0 .. n_classes - 1.
        n_classes: number of classes.

    Returns:
        (n_candidates, n_classes) in [-1, 1].
    """
    n_images = len(x)
    indicator = np.zeros((n_images, n_classes))
    indicator[np.arange(n_images), labels] = 1.0
    share = indicator.mean(axis=0)
    mean, std = x.mean(axis=0), x.std(axis=0)
    covariance = (x - mean).T @ (indicator - share) / n_images
    correlation = covariance / np.maximum(np.outer(std, np.sqrt(share * (1.0 - share))), 1e-10)
    return np.asarray(correlation / max(float(np.abs(correlation).max()), 1e-300))


def similarity(relevance: Floats) -> Floats:
    """R: cosine similarity of the rows of A, diagonal set to zero (docs/explanation/program.md#coefficients).

    Args:
        relevance: (n_candidates, n_classes).

    Returns:
        (n_candidates, n_candidates) symmetric, signed.
    """
    unit = relevance / np.maximum(np.linalg.norm(relevance, axis=1, keepdims=True), 1e-8)
    cosine = unit @ unit.T
    cosine /= max(float(np.abs(cosine).max(initial=0.0)), 1e-300)
    cosine = np.round((cosine + cosine.T) / 2, _DECIMALS)
    np.fill_diagonal(cosine, 0.0)
    return np.asarray(cosine)


def penalised_pairs(
    relevance: Floats, n_features: int, variant: str = "released"
) -> tuple[tuple[Ints, Ints, Floats], dict[str, Any]]:
    """P and its weights (docs/explanation/program.md#pairs).

    A pair of no similarity is never in P where all others have some: its weight would be below zero.

    Args:
        relevance: (n_candidates, n_classes) A without dead features.
        n_features: N, also the clique size the threshold is scanned for.
        variant: `released` or `paper`.

    Returns:
        (i, j, penalty), and {threshold (None: no similarity is too large), n_pairs, clique_size, clique}.

    Raises:
        UsageError: for another variant.
    """
    if variant not in VARIANTS:
        raise UsageError(f"variant = {variant!r}", " or ".join(VARIANTS), "name one of the two pair sets")
    cosine = similarity(relevance)
    directed = np.triu(np.maximum(cosine, 0.0), 1) if variant == "paper" else cosine
    threshold = find_threshold(directed + directed.T, n_features)
    i, j = np.triu_indices(len(cosine), 1)
    nonzero = directed[directed != 0]
    low = float(nonzero.min(initial=np.inf))
    hit = (directed[i, j] >= threshold.value) & (directed[i, j] >= low)
    i, j = i[hit].astype(np.int64), j[hit].astype(np.int64)
    spread = float(directed.max()) - low
    penalty = (directed[i, j] - low) / spread if spread > 0 else np.ones(len(i))
    info = {
        "threshold": threshold.value if np.isfinite(threshold.value) else None,
        "n_pairs": len(i),
        "clique_size": len(threshold.clique),
        "clique": threshold.clique.tolist(),
    }
    return (i, j, penalty), info


class FromFeatures(NamedTuple):
    """A problem made from features, and how it came about.

    Attributes:
        problem: over the features that vary; its candidates are those.
        kept: (n_candidates,) their columns in the features given.
        info: threshold of the penalised pairs (None: no similarity is too large), n_pairs, clique_size, clique (indices
            of candidates), n_dead (features that do not vary), and forced_pairs where class pairs are forced.
    """

    problem: Problem
    kept: Ints
    info: dict[str, Any]


@understands(
    positional=("n_classes", "n_features", "features_per_class", "variant", "bias"), after=2, renamed={"x": "features"}
)
def problem_from_features(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    n_features: int,
    features_per_class: int,
    n_classes: int | None = None,
    variant: str = "released",
    bias: ArrayLike | None = None,
    forced_pairs: int = 0,
) -> FromFeatures:
    """The whole way from pooled features to a Problem.

    Args:
        features: (n_images, n_columns) pooled features of the train set, any finite numbers.
        labels: (n_images,) class indices, 0 .. n_classes - 1.
        n_features: N, features to select.
        features_per_class: k, features of each class.
        n_classes: number of classes; None: the largest label plus one.
        variant: pair set, `released` or `paper` (docs/explanation/program.md#pairs).
        bias: (n_columns,) locality bias, or None.
        forced_pairs: how many of the most similar class pairs must share exactly k - 1 features
            (docs/explanation/program.md#forced-pairs).

    Returns:
        (problem, kept, info); column `kept[f]` of the features is candidate f of the problem.

    Raises:
        UsageError: for features or labels that do not fit; InfeasibleError where arithmetic rules a solution out.
    """
    x, classes, n_classes = _checked(features, labels, n_classes)
    std = x.std(axis=0)
    kept = np.flatnonzero(std > 1e-6 * max(float(std.max(initial=0.0)), 1e-6))
    check_feasible(len(kept), n_features, features_per_class, n_classes)
    a = relevance(x[:, kept], classes, n_classes)
    pairs, info = penalised_pairs(a, n_features, variant)
    info |= {"n_dead": x.shape[1] - len(kept)}
    forced = None
    if forced_pairs:
        forced = closest_classes(a, forced_pairs)
        info |= {"forced_pairs": forced_pairs}
    problem = Problem(
        a,
        pairs,
        None if bias is None else np.asarray(bias, dtype=np.float64)[kept],
        n_features=n_features,
        features_per_class=features_per_class,
        forced=forced,
    )
    return FromFeatures(problem, kept, info)


def _checked(x: ArrayLike, labels: ArrayLike, n_classes: int | None) -> tuple[Floats, Ints, int]:
    features, classes = np.asarray(x, dtype=np.float64), np.asarray(labels)
    if features.ndim != 2 or classes.shape != (len(features),):
        raise UsageError(
            f"features of shape {features.shape}, labels of shape {classes.shape}",
            "(n_images, n_candidates) and (n_images,)",
            "check both",
        )
    if not np.isfinite(features).all():
        image, column = np.argwhere(~np.isfinite(features))[0]
        at = f"features[{image}, {column}] = {features[image, column]}"
        raise UsageError(at, "finite features", "check the dense model")
    if not len(classes):
        raise UsageError("no images", "at least one image", "check the split")
    if not np.issubdtype(classes.dtype, np.integer):
        raise UsageError(f"labels of type {classes.dtype}", "integers", "check labels")
    n_classes = int(classes.max()) + 1 if n_classes is None else n_classes
    if classes.min() < 0 or classes.max() >= n_classes:
        raise UsageError(f"labels {classes.min()}..{classes.max()}", f"0..{n_classes - 1}", "check n_classes")
    largest = float(np.abs(features).max(initial=0.0))
    if largest > _LARGE:
        features = np.ldexp(features, -int(np.frexp(largest)[1]))
    return features, classes.astype(np.int64), n_classes


def locality_bias(x: Floats, peak: Floats, on_border: Bools) -> Floats:
    """b: features that look at one place, and not at the border, are preferred
    (docs/explanation/program.md#coefficients).

    loc_j = mean_n v_nj * peak_nj, edge_j = -sum_n v_nj * border_nj, v_nj = x_nj / sum_j x_nj;
    b_j = clean(loc)_j where clean(edge)_j >= 0, else min(clean(loc)); then cleaned again.

    Args:
        x: (n_images, n_candidates) pooled features, not negative.
        peak: (n_images, n_candidates) largest softmax value over the positions of each map.
        on_border: (n_images, n_candidates) whether the map's maximum lies in the border row or column.

    Returns:
        (n_candidates,) within +-0.1 sqrt(10).
    """
    share = x / np.maximum(x.sum(axis=1, keepdims=True), 1e-12)
    local = _clean((share * peak).mean(axis=0))
    edge = _clean(-(share * on_border).sum(axis=0))
    return _clean(np.where(edge >= 0, local, local.min()))


def _clean(values: Floats) -> Floats:
    """Pull outliers to the range of the largest MeanShift cluster, centre, and scale to +-0.1 sqrt(10)."""
    low, high = _main_range(values)
    cleaned = np.where(values > high, abs(high) * np.sign(values), values)
    cleaned = np.where(values < low, abs(low) * np.sign(values), cleaned)
    centred = cleaned - cleaned.mean()
    centred[np.abs(centred) <= _SAME * np.abs(cleaned).max()] = 0.0
    return np.asarray(centred / max(float(np.abs(centred).max()), 1e-12) * _BIAS_WEIGHT)


def _main_range(values: Floats) -> tuple[float, float]:
    from sklearn.cluster import MeanShift, estimate_bandwidth

    column = values.reshape(-1, 1)
    bandwidth = estimate_bandwidth(column)
    if not bandwidth > _SAME * np.abs(values).max():  # most values equal: nothing to call an outlier
        return float(values.min()), float(values.max())
    cluster = MeanShift(bandwidth=bandwidth).fit(column).labels_
    main = values[cluster == np.bincount(cluster).argmax()]
    return float(main.min()), float(main.max())
