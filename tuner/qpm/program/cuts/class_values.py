"""The value of a class as a function of the selection, by closed-form duality
(docs/explanation/program.md#class-values).

eta_c <= k theta + sum_f max(0, A_fc - theta) s_f for every theta; at a point s the tightest theta is the relevance
at which the cumulated s, features sorted by falling A, reaches k. No variable W is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuner.qpm.program.instance.arrays import Floats, Ints
from tuner.qpm.program.instance.problem import Problem


@dataclass(frozen=True)
class ClassValueCuts:
    """The tightest inequality on the value of every class at a point.

    Args:
        rank: (n_classes,) rank of theta: how many of the class's best features have a coefficient.
        theta: (n_classes,) threshold.
        value: (n_classes,) right side at the point: the largest eta the point allows.
    """

    rank: Ints
    theta: Floats
    value: Floats


def row(problem: Problem, c: int, rank: int) -> tuple[Ints, Floats, float]:
    """Class c's inequality eta_c - sum gain s <= k theta, theta its relevance of that rank.

    Returns:
        Candidates, their gains, right side.
    """
    theta = float(problem.ranked[rank, c])
    features, gain = problem.order[:rank, c], problem.ranked[:rank, c] - theta
    keep = gain > 0
    return features[keep], gain[keep], problem.features_per_class * theta


def tightest(problem: Problem, s: Floats) -> ClassValueCuts:
    """The tightest inequality of every class at a point.

    Args:
        problem: the instance.
        s: (n_candidates,) point in [0, 1] that sums to n_features.
    """
    k, classes = problem.features_per_class, np.arange(problem.n_classes)
    # Only features with s > 0 move the cumulated sum: a fraction of the candidates.
    mass = s[problem.order]
    total = np.cumsum(mass, axis=0)
    rank = np.minimum((total < k - 1e-9).sum(axis=0), problem.n_candidates - 1)
    theta = problem.ranked[rank, classes]
    worth = np.cumsum(mass * problem.ranked, axis=0)
    before = np.maximum(rank - 1, 0)
    head, weight = (np.where(rank > 0, part[before, classes], 0.0) for part in (worth, total))
    return ClassValueCuts(rank, theta, head + theta * (k - weight))


def closed_form_bound(problem: Problem, features: Ints) -> tuple[float, Floats]:
    """A bound with no solver at all: thresholds of a selection, the N largest prices, no penalty.

    Args:
        problem: the instance.
        features: (n_features,) any selection, the better the tighter.

    Returns:
        The bound, and the price of each candidate: what it adds at most.
    """
    point = np.zeros(problem.n_candidates)
    point[features] = 1.0
    theta = tightest(problem, point).theta
    price = problem.linear + problem.scale * np.maximum(problem.relevance - theta, 0.0).sum(axis=1)
    best = np.partition(price, -problem.n_features)[-problem.n_features :]
    return problem.scale * problem.features_per_class * float(theta.sum()) + float(best.sum()), price
