"""Data that cannot be used is refused in three parts, as a ValueError or a TypeError, before anything is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from tuner.errors import UsageError
from tuner.estimator import QPMClassifier
from tuner.estimator.inputs import holds_paths, token_maps

Y = np.arange(12) % 3
POOLED = np.random.default_rng(0).normal(size=(12, 4))
MAPS = np.random.default_rng(0).normal(size=(12, 6, 4))


def with_nan(X: NDArray[Any]) -> NDArray[Any]:
    X = X.copy()
    X[3, 2] = np.nan
    return X


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        pytest.param(with_nan(POOLED), Y, "NaN", id="NaN"),
        pytest.param(with_nan(MAPS), Y, "NaN", id="NaN in maps"),
        pytest.param(POOLED, [*Y[:-1], np.nan], "NaN", id="NaN in y"),
        pytest.param(POOLED, Y[:-1], "inconsistent", id="lengths"),
        pytest.param(MAPS.reshape(12, 3, 2, 4), Y[:-1], "y holds 11 labels", id="lengths of maps"),
        pytest.param(POOLED, np.zeros(12), "one class only", id="one class"),
        pytest.param(POOLED, np.linspace(0, 1, 12), "continuous", id="continuous"),
        pytest.param(MAPS, Y, "6 tokens per image", id="no square"),
        pytest.param(MAPS[..., None, None], Y, "(12, 6, 4, 1, 1)", id="five axes"),
        pytest.param(MAPS[:, :, :0], Y, "0 feature", id="no width"),
        pytest.param(MAPS[:, :0], Y, "0 tokens", id="no tokens"),
        pytest.param(POOLED[:, 0], Y, "1D array", id="one axis"),
        pytest.param(POOLED * 1e200, Y, "beyond", id="too large"),
        pytest.param(POOLED + 1j, Y, "Complex", id="complex"),
        pytest.param(scipy.sparse.csr_array(POOLED), Y, "Sparse", id="sparse"),
        pytest.param(["a.png"] * 12, Y, "backbone is None", id="paths"),
        pytest.param(np.array(["a.png"] * 12)[:, None], Y, "backbone is None", id="a column of paths"),
        pytest.param([Path("a.png")] * 12, Y, "backbone is None", id="Path"),
        pytest.param("a.png", Y, "backbone is None", id="one path"),
        pytest.param(POOLED, None, "y", id="no labels"),
        pytest.param(MAPS.reshape(12, 3, 2, 4), None, "y is None", id="no labels of maps"),
    ],
)
def test_data_that_cannot_be_used(X: Any, y: Any, words: str, fast: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=r"expected:(.|\n)*to do:") as told:
        QPMClassifier(**fast).fit(X, y)
    assert isinstance(told.value, UsageError)
    assert words in told.value.what


@pytest.mark.parametrize("grid", [(2, 2), (6,), (3, -2), "ab", 6], ids=str)
def test_a_grid_that_does_not_fit(grid: Any, fast: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="grid="):
        QPMClassifier(**fast, grid=grid).fit(MAPS, Y)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        pytest.param(POOLED, "2 axes", id="pooled"),
        pytest.param(np.zeros((4, 3, 4, 5)), "5 features per token", id="width"),
        pytest.param(np.zeros((4, 4, 3, 6)), "4 x 3 tokens", id="grid"),
        pytest.param(np.full((4, 3, 4, 6), np.inf), "infinity", id="infinite"),
    ],
)
def test_other_data_than_fit_saw(X: NDArray[Any], words: str, fitted_on_maps: QPMClassifier) -> None:
    with pytest.raises(ValueError, match="expected") as told:
        fitted_on_maps.predict(X)
    assert words in str(told.value)


def test_labels_that_fit_did_not_see_are_named(fitted_on_maps: QPMClassifier) -> None:
    with pytest.raises(ValueError, match="'dog'"):
        fitted_on_maps.explain(np.zeros((2, 3, 4, 6)), ["ant", "dog"])
    with pytest.raises(ValueError, match="best=0"):
        fitted_on_maps.explain(np.zeros((2, 3, 4, 6)), best=0)


def test_too_few_live_features_are_a_value_error(fast: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"candidates|subsets"):
        QPMClassifier(**{**fast, "n_features": 20}).fit(np.ones((12, 4)), Y)


def test_numbers_keep_float16_and_are_not_written_to() -> None:
    half = MAPS.astype(np.float16)
    half.flags.writeable = False
    tokens, grid = token_maps(half, (2, 3))
    assert (tokens.dtype, grid) == (np.float16, (2, 3))
    assert tokens.flags.writeable
    assert np.array_equal(tokens, half)
    assert token_maps(POOLED, None)[0].dtype == np.float32


def test_what_counts_as_paths() -> None:
    assert holds_paths(["a", Path("b")])
    assert holds_paths(np.array([Path("a"), "b"], dtype=object))
    assert not holds_paths([])
    assert not holds_paths([["a"], ["b"]])
    assert not holds_paths(np.array([["a", "b"]]))
    assert not holds_paths(np.array([1, "b"], dtype=object))
