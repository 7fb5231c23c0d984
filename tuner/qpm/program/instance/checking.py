"""Validates coefficients and converts them to arrays; every error names the value and the rule."""

import numpy as np
from numpy.typing import ArrayLike

from tuner.errors import InfeasibleError, UsageError
from tuner.qpm.program.instance.arrays import Floats, Ints


def matrix(relevance: ArrayLike) -> Floats:
    """Relevance as a finite (n_candidates, n_classes) matrix."""
    values = np.ascontiguousarray(relevance, dtype=np.float64)
    if values.ndim != 2:
        raise UsageError(f"relevance of shape {values.shape}", "(n_candidates, n_classes)", "give a matrix")
    _finite("relevance", values)
    return values


def vector(name: str, values: ArrayLike, n: int) -> Floats:
    """A finite vector with one value per candidate."""
    checked = np.ascontiguousarray(values, dtype=np.float64)
    if checked.shape != (n,):
        raise UsageError(f"{name} of shape {checked.shape}", f"({n},), one value per candidate", f"check {name}")
    _finite(name, checked)
    return checked


def _finite(name: str, values: Floats) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        at = tuple(int(index) for index in bad[0])
        raise UsageError(
            f"{name}{list(at)} = {values[at]}", "finite numbers", "drop candidates with zero deviation first"
        )


def penalised(pairs: tuple[ArrayLike, ArrayLike, ArrayLike], n: int) -> tuple[Ints, Ints, Floats]:
    """Pairs of candidates (i, j, penalty) with i < j, every pair once, penalty >= 0."""
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


def forced_pairs(forced: tuple[ArrayLike, ArrayLike], n_classes: int, n: int, k: int) -> tuple[Ints, Ints]:
    """Pairs of classes that must share exactly k - 1 of n selected features."""
    c, d = (indices("forced", side, n_classes) for side in forced)
    if c.ndim != 1 or c.shape != d.shape:
        raise UsageError(f"forced of shapes {c.shape}, {d.shape}", "two 1-d arrays of one length", "check forced")
    if (c == d).any():
        raise UsageError(f"forced pair of class {c[np.argmax(c == d)]} with itself", "two classes", "check forced")
    if len(c) and k == n:
        raise InfeasibleError(f"forced pairs with features_per_class = n_features = {k}", "k < N", "raise n_features")
    return c, d
