"""In scikit-learn's tools: pipelines, cross-validation, grid search, on handwritten digits."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tuner.estimator import QPMClassifier

Data = tuple[NDArray[Any], NDArray[Any]]


@pytest.mark.slow
def test_a_pipeline_in_cross_validation(digits: Data, fast: dict[str, Any]) -> None:
    pipeline = make_pipeline(StandardScaler(), QPMClassifier(**fast))
    scores = cross_val_score(pipeline, *digits, cv=3)
    assert scores.shape == (3,)
    assert scores.min() > 0.6


def test_token_maps_in_cross_validation(maps: Data, fast: dict[str, Any]) -> None:
    assert cross_val_score(QPMClassifier(**fast), *maps, cv=2, n_jobs=1, error_score="raise").mean() > 0.6


@pytest.mark.slow
def test_a_grid_search_over_the_features_of_a_class(digits: Data, fast: dict[str, Any]) -> None:
    search = GridSearchCV(QPMClassifier(**fast), {"features_per_class": [1, 2, 4]}, cv=2, error_score="raise")
    search.fit(*digits)
    best = search.best_estimator_
    assert (best.assignment_.sum(1) == search.best_params_["features_per_class"]).all()
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_a_setting_that_cannot_be_fails_its_own_fit_only(digits: Data, fast: dict[str, Any]) -> None:
    """One feature per class of four gives at most four classes: scikit-learn scores that fit NaN and warns."""
    search = GridSearchCV(QPMClassifier(**{**fast, "n_features": 4}), {"features_per_class": [1, 2]}, cv=2, refit=False)
    with pytest.warns((FitFailedWarning, UserWarning), match=r"fits failed|non-finite"):
        search.fit(digits[0][digits[1] < 6], digits[1][digits[1] < 6])
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
