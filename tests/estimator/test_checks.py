"""scikit-learn's own checks of an estimator, on pooled features, with the exceptions named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.utils.estimator_checks import parametrize_with_checks

from tuner.estimator import QPMClassifier

SMALL = QPMClassifier(
    width=16,
    hidden=32,
    n_layers=2,
    features_per_class=3,
    dense_epochs=8,
    dense_lr=0.01,
    finetune_epochs=8,
    finetune_lr=0.01,
    device="cpu",
)
EXCEPTIONS = {
    "check_methods_subset_invariance": "the model computes in float32, where a product over fewer rows is rounded "
    "otherwise: scores differ by some 1e-6, and the check allows 1e-7 (see the test below)",
}


@pytest.mark.slow
@parametrize_with_checks([SMALL], expected_failed_checks=lambda _: EXCEPTIONS)
def test_scikit_learns_checks(estimator: QPMClassifier, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.slow
def test_rows_alone_get_the_scores_they_get_together(
    fitted: QPMClassifier, digits: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    X = digits[0][:40]
    alone = np.concatenate([fitted.decision_function(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(alone, fitted.decision_function(X), atol=1e-4)
