"""A saved estimator comes back the same, and a folder that was changed is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from tuner.errors import TunerError
from tuner.estimator import QPMClassifier

Data = tuple[NDArray[Any], NDArray[Any]]


def test_a_saved_estimator_comes_back(fitted_on_maps: QPMClassifier, maps: Data, tmp_path: Path) -> None:
    fitted_on_maps.save(tmp_path / "model")
    again = QPMClassifier.load(tmp_path / "model", device="cpu")
    assert again.get_params() == fitted_on_maps.get_params()
    assert np.array_equal(again.predict_proba(maps[0]), fitted_on_maps.predict_proba(maps[0]))
    assert again.classes_.dtype == fitted_on_maps.classes_.dtype
    assert np.array_equal(again.predict(maps[0]), fitted_on_maps.predict(maps[0]))
    assert np.array_equal(again.assignment_, fitted_on_maps.assignment_)
    assert (again.report_, again.grid_) == (fitted_on_maps.report_, fitted_on_maps.grid_)
    assert [one.logits.tolist() for one in again.explain(maps[0][:2])] == [
        one.logits.tolist() for one in fitted_on_maps.explain(maps[0][:2])
    ]


@pytest.mark.parametrize("kind", ["bool", "float32", "uint8", "object"])
def test_labels_and_names_come_back(kind: str, digits: Data, fast: dict[str, Any], tmp_path: Path) -> None:
    y = (digits[1][:60] > 4).astype(kind) if kind != "object" else np.where(digits[1][:60] > 4, "b", "a").astype(object)
    table = pd.DataFrame(digits[0][:60], columns=[f"pixel {i}" for i in range(64)])
    parameters = {**fast, "n_features": np.int64(8), "random_state": np.random.RandomState(1)}
    model = QPMClassifier(**parameters).fit(table, y)
    model.save(tmp_path / "model")
    again = QPMClassifier.load(tmp_path / "model", device="cpu")
    assert again.predict(table).dtype == model.predict(table).dtype
    assert again.feature_names_in_.tolist() == list(table.columns)
    assert (again.n_features, again.random_state) == (8, None)
    with pytest.raises(ValueError, match="feature names"):
        again.predict(table[table.columns[::-1]])


def test_nothing_is_written_over(fitted: QPMClassifier, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        QPMClassifier().save(tmp_path / "model")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="is there already"):
        fitted.save(tmp_path)
    with pytest.raises(ValueError, match="is there already"):
        fitted.save(tmp_path / "notes.txt")


def test_labels_that_json_does_not_have(digits: Data, fast: dict[str, Any], tmp_path: Path) -> None:
    days = np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]")[(digits[1][:60] > 4).astype(int)]
    model = QPMClassifier(**fast).fit(digits[0][:60], days)
    with pytest.raises(ValueError, match="datetime64"):
        model.save(tmp_path / "model")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"parameters": {"abacus": 1}},
        {"parameters": None},
        {"classes": [1]},
        {"classes": ["a"] * 10},
        {"classes_type": "O8"},
        {"classes_type": "V100"},
        {"feature_names": ["a"]},
        {"report": []},
        {"backbone": {"settings": {}, "key": "0"}},
        {"backbone": {"settings": {"weights": 3}, "key": "0"}},
        {"backbone": 3},
    ],
    ids=str,
)
def test_a_changed_folder_is_refused(changes: dict[str, Any], fitted: QPMClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    file = tmp_path / "model" / "estimator.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(TunerError, match=r"expected:(.|\n)*to do:"):
        QPMClassifier.load(tmp_path / "model", device="cpu")


@pytest.mark.parametrize("name", ["estimator.json", "model.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, fitted: QPMClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(TunerError, match=name):
        QPMClassifier.load(tmp_path / "model", device="cpu")
