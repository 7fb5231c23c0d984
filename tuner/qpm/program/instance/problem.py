"""The quadratic program as data: which features, and which of them describe each class (QPM eq., METHOD 4.5).

maximise  scale * sum_{f,c} A_fc W_cf  -  sum_{(i,j) in P} r_ij s_i s_j  +  sum_f b_f s_f,   scale = 1000 / (k C)
subject to  W_cf <= s_f,  sum_f s_f = N,  sum_f W_cf = k for every class,  no two classes with the same row of W.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuner.errors import InfeasibleError, UsageError

if TYPE_CHECKING:
    from tuner.qpm.program.solution import Solution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_LARGEST = 1e306  # a hundredth of the largest float


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
        raise InfeasibleError(f"{n_classes} classes", "at least one class", "give one column of relevance a class")
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


@dataclass(frozen=True, eq=False)
class Problem:
    """One instance of the program; checked when made, never changed.

    Args:
        relevance: (n_candidates, n_classes) A, any finite values.
        pairs: three 1-d arrays (i, j, penalty) with i < j, every pair once, penalty >= 0.
        bias: (n_candidates,) b, or None for zeros.
        n_features: N, features to select.
        features_per_class: k, features of each class.
        forced: two 1-d arrays (c, d) of class pairs that must share exactly k - 1 features (CHiQPM, METHOD 4.6).
        weight: of the relevance in the objective, above 0; None: 1000 / (k C), as published.

    Raises:
        UsageError: naming value and rule; InfeasibleError where arithmetic rules a solution out.
    """

    relevance: Floats
    pairs: tuple[Ints, Ints, Floats]
    bias: Floats | None = None
    n_features: int = 50
    features_per_class: int = 5
    forced: tuple[Ints, Ints] | None = None
    weight: float | None = None

    def __post_init__(self) -> None:
        relevance = _matrix(self.relevance)
        n = relevance.shape[0]
        check_feasible(n, self.n_features, self.features_per_class, relevance.shape[1])
        object.__setattr__(self, "relevance", relevance)
        object.__setattr__(self, "pairs", _pairs(self.pairs, n))
        if self.bias is not None:
            object.__setattr__(self, "bias", _vector("bias", self.bias, n))
        if self.forced is not None:
            sizes = relevance.shape[1], self.n_features, self.features_per_class
            object.__setattr__(self, "forced", _forced(self.forced, *sizes))
        if not 0.0 < self.scale < np.inf:
            raise UsageError(f"weight = {self.weight}", "a finite number above 0", "give None for 1000 / (k C)")
        if not self._largest() <= _LARGEST:
            worst = max((float(np.abs(values).max(initial=0.0)), name) for name, values in self._coefficients().items())
            raise UsageError(
                f"{worst[1]} of up to {worst[0]:g}",
                f"coefficients whose sum over a selection stays below {_LARGEST:g}, so that it can be added up",
                "divide all relevance, penalties and biases by one number: that changes no optimum",
            )

    @property
    def n_candidates(self) -> int:
        """Features to choose from."""
        return int(self.relevance.shape[0])

    @property
    def n_classes(self) -> int:
        """Classes to describe."""
        return int(self.relevance.shape[1])

    @property
    def scale(self) -> float:
        """Weight of the relevance: 1000 / (k C) unless given."""
        return 1000.0 / (self.features_per_class * self.n_classes) if self.weight is None else self.weight

    @cached_property
    def size(self) -> float:
        """A value the objective can hardly have: all rows of the largest relevance, the largest penalty or bias.

        What counts as small is measured by it, so that the unit of the coefficients changes no decision.
        """
        most = {name: float(np.abs(values).max(initial=0.0)) for name, values in self._coefficients().items()}
        rows = self.scale * self.features_per_class * self.n_classes
        return max(rows * most["relevance"], most["penalties"], most["bias"])

    @cached_property
    def linear(self) -> Floats:
        """(n_candidates,) bias, zeros where there is none."""
        return np.zeros(self.n_candidates) if self.bias is None else self.bias

    @cached_property
    def penalty(self) -> Floats:
        """(n_candidates, n_candidates) symmetric matrix of pair penalties, zero diagonal."""
        i, j, weight = self.pairs
        matrix = np.zeros((self.n_candidates, self.n_candidates))
        matrix[i, j] = matrix[j, i] = weight
        return matrix

    @cached_property
    def order(self) -> Ints:
        """(n_candidates, n_classes) candidates of each class by falling relevance."""
        return np.argsort(-self.relevance, axis=0, kind="stable")

    @cached_property
    def ranked(self) -> Floats:
        """(n_candidates, n_classes) relevance in that order."""
        return np.take_along_axis(self.relevance, self.order, axis=0)

    def _coefficients(self) -> dict[str, Floats]:
        return {"relevance": self.relevance, "penalties": self.pairs[2], "bias": self.linear}

    def _largest(self) -> float:
        """No sum that a selection's value is made of is above it; inf where it cannot be said."""
        most = {name: float(np.abs(values).max(initial=0.0)) for name, values in self._coefficients().items()}
        n = self.n_features
        rows = self.features_per_class * self.n_classes * most["relevance"]
        return max(1.0, self.scale) * rows + n * n * most["penalties"] + n * most["bias"]

    def selection_cost(self, features: ArrayLike) -> float:
        """Bias minus penalties of a selection: the part of the objective the assignment cannot change."""
        chosen = np.asarray(features, dtype=np.int64)
        return float(self.linear[chosen].sum() - self.penalty[np.ix_(chosen, chosen)].sum() / 2)

    def free_value(self, features: ArrayLike) -> float:
        """Value of a selection when classes may share a row: each takes its k most relevant features."""
        chosen = np.asarray(features, dtype=np.int64)
        k, n = self.features_per_class, len(chosen)
        top = np.partition(self.relevance[chosen], n - k, axis=0)[n - k :]
        return self.scale * float(top.sum()) + self.selection_cost(chosen)

    def objective(self, features: ArrayLike, assignment: Bools) -> float:
        """The objective of a selection and its assignment (n_classes, n_features), as stated at the top."""
        chosen = np.asarray(features, dtype=np.int64)
        return self.scale * float(self.relevance[chosen].T[assignment].sum()) + self.selection_cost(chosen)

    def verify(self, solution: Solution) -> None:
        """Check a solution against every constraint and recompute its objective.

        Raises:
            TunerError: with the violated constraint.
        """
        from tuner.qpm.program.instance.verify import verify

        verify(self, solution)


def _matrix(relevance: ArrayLike) -> Floats:
    matrix = np.ascontiguousarray(relevance, dtype=np.float64)
    if matrix.ndim != 2:
        raise UsageError(f"relevance of shape {matrix.shape}", "(n_candidates, n_classes)", "give a matrix")
    _finite("relevance", matrix)
    return matrix


def _vector(name: str, values: ArrayLike, n: int) -> Floats:
    vector = np.ascontiguousarray(values, dtype=np.float64)
    if vector.shape != (n,):
        raise UsageError(f"{name} of shape {vector.shape}", f"({n},), one value a candidate", f"check {name}")
    _finite(name, vector)
    return vector


def _finite(name: str, values: Floats) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        at = tuple(int(index) for index in bad[0])
        raise UsageError(
            f"{name}{list(at)} = {values[at]}", "finite numbers", "drop candidates with zero deviation first"
        )


def _pairs(pairs: tuple[ArrayLike, ArrayLike, ArrayLike], n: int) -> tuple[Ints, Ints, Floats]:
    i, j = (indices("pairs", side, n) for side in pairs[:2])
    weight = np.ascontiguousarray(pairs[2], dtype=np.float64)
    if not (i.shape == j.shape == weight.shape) or i.ndim != 1:
        raise UsageError(
            f"pairs of shapes {i.shape}, {j.shape}, {weight.shape}", "three 1-d arrays of one length", "check pairs"
        )
    _finite("penalty", weight)
    wrong = np.flatnonzero(i >= j)
    if len(wrong):
        raise UsageError(f"pair ({i[wrong[0]]}, {j[wrong[0]]})", "i < j", "order each pair")
    if (weight < 0).any():
        at = int(np.argmin(weight))
        raise UsageError(f"penalty {weight[at]} of pair ({i[at]}, {j[at]})", "penalty >= 0", "drop negative pairs")
    code, count = np.unique(i * n + j, return_counts=True)
    if (count > 1).any():
        double = int(code[np.argmax(count > 1)])
        raise UsageError(f"pair ({double // n}, {double % n}) given twice", "every pair once", "add penalties up")
    return i, j, weight


def indices(name: str, values: ArrayLike, n: int) -> Ints:
    """The values as an array of whole numbers in 0 .. n - 1, of any shape.

    Raises:
        UsageError: naming the first that is none; a mask of booleans is not taken for indices.
    """
    raw = np.asarray(values)
    if raw.size and not np.issubdtype(raw.dtype, np.integer):
        raise UsageError(f"{name} of type {raw.dtype}", "integer indices", f"check {name}")
    index = np.ascontiguousarray(raw, dtype=np.int64)
    outside = np.flatnonzero((index < 0) | (index >= n))
    if len(outside):
        raise UsageError(f"{name} holds index {index.flat[outside[0]]}", f"0 <= index < {n}", f"check {name}")
    return index


def _forced(forced: tuple[ArrayLike, ArrayLike], n_classes: int, n: int, k: int) -> tuple[Ints, Ints]:
    c, d = (indices("forced", side, n_classes) for side in forced)
    if c.ndim != 1 or c.shape != d.shape:
        raise UsageError(f"forced of shapes {c.shape}, {d.shape}", "two 1-d arrays of one length", "check forced")
    if (c == d).any():
        raise UsageError(f"forced pair of class {c[np.argmax(c == d)]} with itself", "two classes", "check forced")
    if len(c) and k == n:
        raise InfeasibleError(f"forced pairs with features_per_class = n_features = {k}", "k < N", "raise n_features")
    return c, d
