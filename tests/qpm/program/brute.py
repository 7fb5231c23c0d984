"""The program by exhaustion, and random instances small enough for it: what every exactness test compares with."""

from itertools import combinations
from math import comb

import numpy as np
from scipy.optimize import linear_sum_assignment

from tuner.qpm.program import Problem


def brute_force(problem: Problem) -> float:
    """Best value over all selections; rows by one matching of classes to all k-subsets."""
    best = -np.inf
    for selection in combinations(range(problem.n_candidates), problem.n_features):
        best = max(best, best_rows(problem, selection))
    return best


def best_rows(problem: Problem, selection: tuple[int, ...]) -> float:
    """Value of a selection with the best distinct rows."""
    subsets = list(combinations(selection, problem.features_per_class))
    worth = np.array([problem.relevance[list(subset)].sum(axis=0) for subset in subsets])
    rows, classes = linear_sum_assignment(worth, maximize=True)
    return problem.scale * float(worth[rows, classes].sum()) + problem.selection_cost(selection)


KINDS = ("plain", "duplicates", "ties", "negative", "k=N", "N=all", "one class", "no bias", "no pairs", "all pairs")


def random_problem(kind: str, seed: int) -> Problem:
    """A random instance of one kind, feasible and small."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    while True:
        n = int(rng.integers(4, 11))
        n_features = n if kind == "N=all" else int(rng.integers(2, min(n, 6) + 1))
        k = n_features if kind == "k=N" else int(rng.integers(1, n_features + 1))
        n_classes = 1 if kind in ("one class", "k=N") else int(rng.integers(2, 9))
        if comb(n_features, k) >= n_classes:
            break
    relevance = rng.normal(size=(n, n_classes))
    if kind == "duplicates":
        relevance = relevance[:, rng.integers(0, max(n_classes // 3, 1), size=n_classes)]
        relevance += 0.01 * rng.normal(size=relevance.shape) * (rng.random() < 0.5)
    if kind == "ties":
        relevance = rng.integers(-1, 2, size=relevance.shape).astype(float)
    if kind == "negative":
        relevance = -np.abs(relevance)
    i, j = np.triu_indices(n, 1)
    share = {"no pairs": 0.0, "all pairs": 1.0}.get(kind, rng.random())
    hit = rng.random(len(i)) < share
    scale = 1000.0 / n_classes / k
    penalty = rng.random(int(hit.sum())) * scale
    if kind == "ties":
        penalty = np.round(penalty / scale) * scale
    bias = None if kind == "no bias" else rng.normal(size=n) * scale / 3
    return Problem(relevance, (i[hit], j[hit], penalty), bias, n_features, k)
