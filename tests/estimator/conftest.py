"""Handwritten digits of scikit-learn as pooled features and as token maps, and settings that fit in a second."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from tuner.estimator import QPMClassifier

FAST: dict[str, Any] = {
    "n_features": 10,
    "features_per_class": 3,
    "width": 20,
    "hidden": 24,
    "n_layers": 2,
    "dense_epochs": 4,
    "dense_lr": 0.01,
    "finetune_epochs": 4,
    "finetune_l1": 0.5,
    "effort": 5000,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def fast() -> dict[str, Any]:
    """Parameters of an estimator that is trained in a second."""
    return dict(FAST)


@pytest.fixture(scope="session")
def digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """300 digits as 64 pixels each, 0 to 16, and what they are."""
    X, y = load_digits(return_X_y=True)
    return X[:300], y[:300]


@pytest.fixture(scope="session")
def maps() -> tuple[NDArray[Any], NDArray[Any]]:
    """Images of three classes as token maps (n, 3, 4, 6), float32; the class is a direction at some place."""
    draw = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = 0.5 * draw.normal(size=(60, 3, 4, 6)).astype(np.float32)
    directions = 2 * draw.normal(size=(3, 6)).astype(np.float32)
    X[np.arange(60), 1, draw.integers(1, 3, 60)] += directions[y]
    return X, y


@pytest.fixture(scope="session")
def fitted(digits: tuple[NDArray[Any], NDArray[Any]]) -> QPMClassifier:
    """Fitted on pooled features; not to be changed."""
    return QPMClassifier(**FAST).fit(*digits)


@pytest.fixture(scope="session")
def fitted_on_maps(maps: tuple[NDArray[Any], NDArray[Any]]) -> QPMClassifier:
    """Fitted on token maps, with texts as labels; not to be changed."""
    X, y = maps
    return QPMClassifier(**FAST).fit(X, np.array(["ant", "bee", "cat"])[y])
