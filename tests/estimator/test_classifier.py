"""What `fit` makes is what the stages make by hand; what is predicted and explained adds up."""

import doctest
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import tuner.estimator.classifier
from tuner.estimator import QPMClassifier
from tuner.estimator.inputs import samples_of
from tuner.estimator.parameters import stage_settings
from tuner.estimator.training import batch_size, cut_short
from tuner.qpm import (
    AdapterConfig,
    AssignConfig,
    DenseConfig,
    FinetuneConfig,
    assign,
    dense_features,
    finetune,
    train_dense,
)

Data = tuple[NDArray[Any], NDArray[Any]]


def same_weights(model: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = model.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_fit_gives_the_weights_of_the_stages_by_hand(maps: Data, fast: dict[str, Any]) -> None:
    X, y = maps
    fitted = QPMClassifier(**fast, random_state=5).fit(X, y)
    samples = samples_of(X.reshape(60, 12, 6), None, y, (3, 4), 3)
    dense = train_dense(
        samples,
        AdapterConfig(width=20, hidden=24, n_layers=2),
        DenseConfig(epochs=4, lr=0.01),
        seed=5,
        device="cpu",
    )
    table = assign(
        dense_features(dense, samples, device="cpu"),
        AssignConfig(n_features=10, features_per_class=3, effort=5000),
        seed=5,
    )
    model = finetune(dense, table, samples, FinetuneConfig(epochs=4, l1=0.5), seed=5, device="cpu")
    assert same_weights(fitted.model_, model)
    assert np.array_equal(fitted.assignment_, table.matrix)
    assert not same_weights(fitted.model_, QPMClassifier(**fast, random_state=6).fit(X, y).model_)


def test_three_axes_are_four_axes_with_a_named_grid(maps: Data, fast: dict[str, Any]) -> None:
    X, y = maps
    four = QPMClassifier(**fast).fit(X, y)
    three = QPMClassifier(**fast, grid=(3, 4)).fit(X.reshape(60, 12, 6), y)
    assert three.grid_ == four.grid_ == (3, 4)
    assert same_weights(three.model_, four.model_)
    for model in (three, four):
        assert np.array_equal(model.predict_proba(X.reshape(60, 12, 6)), model.predict_proba(X))


def test_scores_are_the_sums_of_the_features_of_a_class(fitted: QPMClassifier, digits: Data) -> None:
    X, y = digits
    scores = fitted.decision_function(X)
    np.testing.assert_allclose(fitted.feature_scores(X) @ fitted.assignment_.T, scores, atol=1e-4)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(1), 1.0)
    assert np.array_equal(fitted.classes_[scores.argmax(1)], fitted.predict(X))
    assert fitted.assignment_.sum(1).tolist() == [3] * 10
    assert fitted.score(X, y) > 0.8


def test_two_classes_have_one_score(maps: Data, fast: dict[str, Any]) -> None:
    X, y = maps
    two = QPMClassifier(**fast).fit(X[y < 2], y[y < 2] == 1)
    scores = two.decision_function(X)
    assert scores.shape == (60,)
    assert np.array_equal(two.predict(X), scores > 0)
    np.testing.assert_allclose(two.predict_proba(X)[:, 1], 1 / (1 + np.exp(-scores)))


def test_labels_may_be_texts(fitted_on_maps: QPMClassifier, maps: Data) -> None:
    X, y = maps
    assert fitted_on_maps.classes_.tolist() == ["ant", "bee", "cat"]
    names = np.array(["ant", "bee", "cat"])[y]
    assert fitted_on_maps.score(X, names) > 0.8
    assert fitted_on_maps.n_features_in_ == 6


def test_an_explanation_adds_up_to_the_score(fitted_on_maps: QPMClassifier, maps: Data) -> None:
    X, y = maps
    scores, predicted = fitted_on_maps.decision_function(X[:5]), fitted_on_maps.predict(X[:5])
    for i, why in enumerate(fitted_on_maps.explain(X[:5])):
        assert fitted_on_maps.classes_[why.predicted] == predicted[i]
        assert why.label == why.predicted
        assert len(why.evidence) == 2
        for label, parts in why.evidence.items():
            assert sum(one.contribution for one in parts) == pytest.approx(scores[i, label], abs=1e-4)
            assert [fitted_on_maps.assignment_[label, one.column] for one in parts] == [True] * 3
            assert all(fitted_on_maps.feature_indices_[one.column] == one.feature for one in parts)
            assert parts[0].saliency.shape == (3, 4)
    names = np.array(["ant", "bee", "cat"])[y]
    for i, why in enumerate(fitted_on_maps.explain(X[:5], names[:5], best=1, image_size=(30, 40))):
        assert why.label == y[i]
        assert set(why.evidence) == {why.predicted, why.label}
        assert why.evidence[why.label][0].saliency.shape == (30, 40)


def test_the_number_of_features_follows_the_data(maps: Data, fast: dict[str, Any]) -> None:
    X, y = maps
    auto = QPMClassifier(**{**fast, "n_features": "auto", "width": 12}).fit(X, y)
    assert auto.n_features_ == auto.report_["program"]["n_candidates"] <= 12
    wide = QPMClassifier(**{**fast, "n_features": "auto", "width": 90}).fit(X, y)
    assert wide.n_features_ == min(50, wide.report_["program"]["n_candidates"])
    assert wide.features_.tolist() == [f"feature {column}" for column in range(wide.n_features_)]


def test_the_report_is_json(fitted: QPMClassifier) -> None:
    report = json.loads(json.dumps(fitted.report_, allow_nan=False))
    assert set(report["seconds"]) == {"dense", "assign", "finetune"}
    assert report["program"]["gap"] >= 0
    assert report["last_epoch"]["finetune"]["epoch"] == 4


@pytest.mark.parametrize("n", [33, 34, 65])
def test_no_batch_holds_one_token(n: int, fast: dict[str, Any]) -> None:
    draw = np.random.default_rng(n)
    X, y = draw.normal(size=(n, 4)), np.arange(n) % 3
    QPMClassifier(**fast, dense_batch_size=32).fit(X, y)
    pooled = samples_of(X.astype(np.float32)[:, None], None, y, (1, 1), 3)
    size = batch_size(pooled, 32)
    assert n % size != 1
    assert size - 32 <= 1
    assert batch_size(replace(pooled, patches=torch.zeros(n, 2, 4)), 32) == 32


def test_a_pickle_holds_no_torch_and_predicts_the_same(fitted: QPMClassifier, digits: Data) -> None:
    X, _ = digits
    data = pickle.dumps(fitted)
    assert b"torch" not in data
    again = pickle.loads(data)
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert same_weights(again.model_, fitted.model_)
    assert not hasattr(clone(fitted), "model_")


def test_names_of_columns_are_kept_and_compared(digits: Data, fast: dict[str, Any]) -> None:
    X, y = digits
    table = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    model = QPMClassifier(**fast).fit(table, y)
    assert model.feature_names_in_[63] == "pixel 63"
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[table.columns[::-1]])


@pytest.mark.slow
def test_a_drawn_seed_differs_and_a_stored_one_stays(digits: Data, fast: dict[str, Any]) -> None:
    X, y = digits[0][:60], digits[1][:60]
    drawn = QPMClassifier(**fast, random_state=np.random.RandomState(3))
    assert not same_weights(clone(drawn).fit(X, y).model_, QPMClassifier(**fast, random_state=4).fit(X, y).model_)
    fixed = QPMClassifier(**fast, random_state=np.int64(4))
    assert same_weights(fixed.fit(X, y).model_, clone(fixed).fit(X, y).model_)


def test_a_program_that_the_clock_stops_is_told(digits: Data) -> None:
    X, y = digits
    hard = QPMClassifier(width=200, hidden=64, n_layers=2, dense_epochs=2, finetune_epochs=1, gap=0.0, device="cpu")
    with pytest.warns(ConvergenceWarning, match=r"deadline_s=0\.01"):
        hard.set_params(deadline_s=0.01).fit(X, y)
    assert hard.report_["program"]["status"] == "deadline"
    json.dumps(hard.report_, allow_nan=False)
    assert "a gap of 1.50%" in cut_short(5.0, 0.015)
    assert "before it had a bound" in cut_short(5.0, None)


def test_nothing_works_before_fit(digits: Data) -> None:
    for call in ("predict", "predict_proba", "decision_function", "feature_scores", "explain"):
        with pytest.raises(NotFittedError):
            getattr(QPMClassifier(), call)(digits[0])


@pytest.mark.slow
def test_the_published_sizes_take_few_images(digits: Data) -> None:
    """The defaults but for the time they take: one epoch."""
    X, y = digits[0][:24], digits[1][:24]
    model = QPMClassifier(dense_epochs=1, finetune_epochs=1, effort=500, deadline_s=20, device="cpu").fit(X, y)
    assert model.assignment_.shape == (10, 50)


def test_the_settings_of_the_stages_are_those_of_the_parameters(fast: dict[str, Any]) -> None:
    settings = stage_settings(QPMClassifier(**fast).get_params())
    assert (settings.dense.lr, settings.finetune.l1, settings.program.n_features) == (0.01, 0.5, 10)


def test_the_package_imports_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, tuner.estimator; sys.exit(bool({'torch', 'sklearn'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_the_example_of_the_docstring_runs() -> None:
    finder = doctest.DocTestFinder(recurse=False)
    examples = finder.find(QPMClassifier, globs=vars(tuner.estimator.classifier))
    runner = doctest.DocTestRunner()
    for example in examples:
        runner.run(example)
    assert runner.summarize(verbose=False) == (0, runner.tries)
    assert runner.tries >= 8
