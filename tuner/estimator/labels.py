"""Converts labels of any type to class positions, which the method uses."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from tuner.estimator.errors import InputError, three_parts


def plain_labels(n: int, y: Any) -> NDArray[Any]:
    """y as n labels on one axis.

    Raises:
        InputError: it is missing, of another length or shape, or holds NaN.
    """
    if y is None:
        raise InputError("y is None, and labels are required", "one label per image", "give y")
    with three_parts("one label per image", "correct y"):
        labels = np.asarray(column_or_1d(y, warn=True))
        assert_all_finite(labels, input_name="y")
    if len(labels) != n:
        raise InputError(f"y holds {len(labels)} labels, and X {n} images", "one label per image", "correct X or y")
    return labels


def encoded(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The classes, sorted, and the position of each label among them, (n,).

    Raises:
        InputError: the labels are continuous, or of one class only.
    """
    if y.dtype == object and (kinds := {type(label).__name__ for label in y}) - {"str"} and "str" in kinds:
        raise InputError(
            f"y holds labels of the types {', '.join(sorted(kinds))}", "texts only, or numbers only", "convert y"
        )
    with three_parts("labels of classes, one per image", "bring y into that form"):
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"y holds one class only, {classes.tolist()[0]!r}, in n_samples={len(y)}",
            "at least two classes",
            "give images of another class, too",
        )
    return classes, labels.astype(np.int64)


def known(classes: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    """The positions of labels among the classes that `fit` found, (n,).

    Raises:
        InputError: a label is of none of them.
    """
    found = pd.Index(classes).get_indexer(pd.Index(labels))
    if (found < 0).any():
        raise InputError(
            f"y holds {labels[found < 0].tolist()[0]!r}",
            "labels that fit has seen, as in classes_",
            "leave that row out",
        )
    return np.asarray(found, dtype=np.int64)
