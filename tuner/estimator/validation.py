"""Validates X against the data of `fit` with scikit-learn's own checks, and converts its errors to three parts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from tuner.estimator.errors import InputError, three_parts
from tuner.estimator.inputs import KINDS, described, holds_paths, n_axes
from tuner.estimator.labels import plain_labels

FLOATS = (np.float64, np.float32, np.float16)  # kept as they are; other numbers become the first


def numbers_to_fit(estimator: Any, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """X and y as arrays; the estimator remembers the width of a token and the names of columns.

    Raises:
        InputError: X or y has a wrong shape, is not finite, or holds no numbers.
        InputTypeError: X is sparse, or holds what cannot become a number.
    """
    require_numbers(X)
    with three_parts(f"X as {KINDS}; y as one label per image", "correct X or y"):
        if n_axes(X) <= 2:
            X, y = validate_data(estimator, X, y, dtype=FLOATS)
            return X, y
        X = check_array(X, dtype=FLOATS, allow_nd=True)
    y = plain_labels(len(X), y)
    estimator.n_features_in_ = int(X.shape[-1])
    return X, y


def numbers_to_predict(estimator: Any, X: Any) -> NDArray[Any]:
    """X as an array of the kind that the estimator was fitted on.

    Raises:
        InputError: it is of another kind, or as in `numbers_to_fit`.
        InputTypeError: as in `numbers_to_fit`.
    """
    require_numbers(X)
    axes, maps = n_axes(X), estimator.grid_ != (1, 1)
    if axes <= 2 and not maps:
        with three_parts("pooled features as in fit, (n, dim)", "correct X"):
            return np.asarray(validate_data(estimator, X, dtype=FLOATS, reset=False))
    if axes <= 2:
        height, width = estimator.grid_
        raise InputError(
            f"X has {axes} axes, and fit saw token maps of {height} x {width}", "token maps", "give X as in fit"
        )
    with three_parts(KINDS, "correct X"):
        tokens = np.asarray(check_array(X, dtype=FLOATS, allow_nd=True))
    width, name = estimator.n_features_in_, type(estimator).__name__
    if tokens.shape[-1] != width:
        raise InputError(
            f"X has {tokens.shape[-1]} features per token, but {name} is expecting {width}",
            "tokens of the width that fit saw",
            "give X of the same backbone as in fit",
        )
    return tokens


def require_numbers(X: Any) -> None:
    """Refuse paths where no backbone is named that could read them.

    Raises:
        InputError: X holds texts or paths.
    """
    if holds_paths(X):
        raise InputError(
            f"X holds texts or paths ({described(X)}), and backbone is None",
            KINDS,
            'name the backbone that is to read them, such as backbone="dinov2"',
        )
