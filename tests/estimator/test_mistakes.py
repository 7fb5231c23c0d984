"""Mistakes of a user of the estimator: each is told in three parts, and no mistake spoils what was fitted."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV

from tuner.errors import TunerError
from tuner.estimator import QPMClassifier

Data = tuple[NDArray[Any], NDArray[Any]]


@pytest.mark.parametrize(
    ("X", "changes"),
    [
        pytest.param(lambda X: X * np.nan, {}, id="NaN"),
        pytest.param(lambda X: X[:, :10], {"dense_lr": 1e30}, id="diverged"),
        pytest.param(lambda X: np.ones((len(X), 4)), {"n_features": "auto"}, id="constant"),
    ],
)
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(
    X: Callable[[Any], Any], changes: dict[str, Any], digits: Data, fast: dict[str, Any]
) -> None:
    names = pd.DataFrame(digits[0], columns=[f"pixel {i}" for i in range(64)])
    model = QPMClassifier(**fast).fit(names, digits[1])
    expected = model.predict(names)
    other = np.array(["odd", "even"])[digits[1] % 2]
    with pytest.raises(TunerError):
        model.set_params(**changes).fit(X(digits[0]), other)
    assert np.array_equal(model.predict(names), expected)
    assert model.feature_names_in_.tolist() == list(names.columns)
    first = QPMClassifier(**{**fast, **changes})
    with pytest.raises(TunerError):
        first.fit(X(digits[0]), other)
    assert not [name for name in vars(first) if name.endswith("_")]


def test_an_explanation_names_the_labels(fitted_on_maps: QPMClassifier, maps: Data) -> None:
    X, y = maps
    names = np.array(["ant", "bee", "cat"])[y]
    told = fitted_on_maps.explain(X, names)
    assert [why.predicted_label for why in told] == fitted_on_maps.predict(X).tolist()
    assert [why.true_label for why in told] == names.tolist()
    again = pickle.loads(pickle.dumps(told[0]))
    assert (again.predicted_label, repr(again)) == (told[0].predicted_label, repr(told[0]))
    assert fitted_on_maps.explain(X[:1])[0].true_label == told[0].predicted_label


@pytest.mark.parametrize("size", [8, (0, 8), (8,), (8, 8, 8), (8.5, 8), "ab", (True, 8)], ids=str)
def test_a_size_of_maps_that_is_none(size: Any, fitted: QPMClassifier, digits: Data) -> None:
    with pytest.raises(ValueError, match=r"image_size=(.|\n)*expected:(.|\n)*to do:"):
        fitted.explain(digits[0][:1], image_size=size)


def test_sizes_of_maps_may_be_of_numpy(fitted: QPMClassifier, digits: Data) -> None:
    (why,) = fitted.explain(digits[0][:1], image_size=np.array([2, 3]))  # type: ignore[arg-type]
    assert why.evidence[why.predicted][0].saliency.shape == (2, 3)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (lambda y: [None if one == 1 else f"c{one}" for one in y], "NoneType, str"),
        (lambda y: np.array([one if one == 1 else f"c{one}" for one in y], dtype=object), "str"),
        (lambda y: np.eye(10)[y], "y as one label per image"),
        (lambda y: None, "y as one label per image"),
    ],
    ids=["None", "mixed", "one-hot", "missing"],
)
def test_wrong_labels_are_told_as_labels(
    y: Callable[[Any], Any], words: str, digits: Data, fast: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="expected:") as told:
        QPMClassifier(**fast).fit(digits[0], y(digits[1]))
    assert words in str(told.value)
    assert "'<'" not in str(told.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dense_lr": 1e30}, "lower dense_lr"),
        ({"finetune_lr": 1e30}, "lower finetune_lr"),
        ({"pooling": "cls"}, "set pooling to avg"),
        ({"device": None}, "device=None"),
        ({"device": 3}, "device=3"),
        ({"random_state": True}, "random_state=True"),
    ],
    ids=str,
)
def test_advice_names_the_parameters(changes: dict[str, Any], words: str, digits: Data, fast: dict[str, Any]) -> None:
    with pytest.raises(TunerError) as told:
        QPMClassifier(**{**fast, **changes}).fit(*digits)
    assert words in str(told.value)


def test_features_that_do_not_vary_are_told_so(digits: Data, fast: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="0 features of the dense model vary"):
        QPMClassifier(**{**fast, "n_features": "auto"}).fit(np.ones((len(digits[1]), 4)), digits[1])


@pytest.mark.parametrize("grid", [(2.7, 4.2), "24", {2: 0, 4: 0}, (True, 8)], ids=str)
def test_a_grid_is_two_whole_numbers(grid: Any, digits: Data, fast: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="grid="):
        QPMClassifier(**fast, grid=grid).fit(digits[0].reshape(-1, 8, 8), digits[1])


def test_truth_values_of_numpy_in_two_processes(digits: Data, fast: dict[str, Any]) -> None:
    grid = {"reestimate_batch_norm": np.array([True, False])}
    search = GridSearchCV(QPMClassifier(**fast), grid, cv=2, n_jobs=2, error_score="raise").fit(*digits)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_drawn_seed_is_reported_and_repeats_the_fit(digits: Data, fast: dict[str, Any], tmp_path: Path) -> None:
    model = QPMClassifier(**fast, random_state=np.random.RandomState(1)).fit(*digits)
    model.save(tmp_path / "model")
    seed = QPMClassifier.load(tmp_path / "model").report_["seed"]
    again = QPMClassifier(**fast, random_state=seed).fit(*digits)
    assert np.array_equal(again.predict_proba(digits[0]), model.predict_proba(digits[0]))


def test_a_grid_of_numpy_is_saved(maps: Data, fast: dict[str, Any], tmp_path: Path) -> None:
    X, y = maps
    model = QPMClassifier(**fast, grid=np.array([3, 4])).fit(X.reshape(60, 12, 6), y)  # type: ignore[arg-type]
    model.save(tmp_path / "model")
    assert QPMClassifier.load(tmp_path / "model").grid == (3, 4)


def test_a_home_folder_is_understood(fitted: QPMClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    fitted.save("~/model")
    assert (tmp_path / "model" / "estimator.json").is_file()
    assert QPMClassifier.load("~/model").n_features_ == fitted.n_features_


@pytest.mark.parametrize("folder", [None, 3, "", b"model", "/dev/null/model"], ids=repr)
def test_folders_that_are_none(folder: Any, fitted: QPMClassifier) -> None:
    for call in (fitted.save, QPMClassifier.load):
        with pytest.raises(TunerError):
            call(folder)


def test_a_device_that_is_not_there_is_told_at_loading(fitted: QPMClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    with pytest.raises(TunerError, match="device="):
        QPMClassifier.load(tmp_path / "model", device="abacus")


@pytest.mark.parametrize(
    "change", [{"grid": 3}, {"grid": "ab"}, {"grid": [1, "x"]}, {"grid": {}}, {"grid": [True, 1]}], ids=str
)
def test_a_changed_grid_is_refused(change: dict[str, Any], fitted: QPMClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    file = tmp_path / "model" / "estimator.json"
    about = json.loads(file.read_text())
    about["parameters"] |= change
    file.write_text(json.dumps(about))
    with pytest.raises(TunerError, match="grid"):
        QPMClassifier.load(tmp_path / "model")


@pytest.mark.parametrize("change", [{"classes": [1] * 10}, {"format": True}], ids=str)
def test_a_changed_description_is_refused(change: dict[str, Any], fitted: QPMClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    file = tmp_path / "model" / "estimator.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TunerError, match=r"expected:(.|\n)*to do:"):
        QPMClassifier.load(tmp_path / "model")
