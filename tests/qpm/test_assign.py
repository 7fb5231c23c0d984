"""The assignment stage: what goes into the program, what comes out, and the random control."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuner.errors import InfeasibleError, UsageError
from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment, assign
from tuner.qpm.dense import DenseModel, dense_features, train_dense
from tuner.qpm.program import Moment
from tuner.qpm.program.instance.class_pairs import closest_classes
from tuner.qpm.program.instance.coefficients import relevance
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig

SMALL = AssignConfig(n_features=8, features_per_class=3)


def features_of(dense: DenseModel, train: Samples) -> np.ndarray:
    return dense_features(dense, train, device="cpu").pooled.astype(np.float64)


@pytest.fixture(scope="module")
def half_dead(dense: DenseModel) -> DenseModel:
    """The dense model with half of its features constant."""
    adapter = dense.adapter.config
    model = DenseModel(adapter, dense.adapter.dim, dense.n_classes, dense.grid)
    model.load_state_dict(dense.state_dict())
    for parameter in (model.adapter.layers[-1].norm.weight, model.adapter.layers[-1].norm.bias):
        parameter.data[::2] = 0.0
    return model.eval()


def test_features_peaks_and_borders_equal_loops(dense: DenseModel, train: Samples) -> None:
    found = dense_features(dense, train, device="cpu")
    x, peak, border = found.pooled, found.peaks, found.borders
    maps = dense.feature_maps(train.patches, train.cls).double()
    for n in (0, 17):
        for j in range(16):
            values = maps[n, j]
            assert x[n, j] == pytest.approx(float(values.mean()), abs=1e-5)
            assert peak[n, j] == pytest.approx(float((values - values.logsumexp(0)).exp().max()), rel=1e-4)
            row, column = divmod(int(values.argmax()), 4)
            assert border[n, j] == (row in (0, 2) or column in (0, 3))


def test_relevance_is_the_pearson_correlation(dense: DenseModel, train: Samples) -> None:
    x = features_of(dense, train)
    alive = x[:, x.std(0) > 1e-6]
    a = relevance(alive, train.labels.numpy(), 4)
    raw = np.array([[np.corrcoef(column, train.labels.numpy() == c)[0, 1] for c in range(4)] for column in alive.T])
    np.testing.assert_allclose(a, raw / np.abs(raw).max(), atol=1e-10)


@pytest.mark.parametrize("variant", ["released", "paper"])
@pytest.mark.parametrize("control", ["none", "random"])
def test_an_assignment_keeps_the_rules(variant: str, control: str, dense: DenseModel, train: Samples) -> None:
    config = replace(SMALL, variant=variant, control=control)
    found = assign(dense_features(dense, train, device="cpu"), config, seed=0)
    assert found.features.shape == (8,)
    assert (np.diff(found.features) > 0).all()
    assert (found.matrix.sum(1) == 3).all()
    assert len({row.tobytes() for row in found.matrix}) == 4
    x = features_of(dense, train)
    np.testing.assert_allclose(found.mean, x[:, found.features].mean(0))
    population = np.sqrt(((x - x.mean(0)) ** 2).sum(0) / len(x))
    np.testing.assert_allclose(found.std, population[found.features])
    if control == "none":
        assert found.info["locality_bias"] == (variant == "paper")
        assert found.info["gap"] >= 0
        assert {"objective", "bound", "status", "n_pairs", "threshold", "log"} <= set(found.info)
        assert found.timing["seconds"] > 0
        assert "seconds" not in json.dumps(found.info)


def test_the_program_beats_the_random_control_before_tuning(dense: DenseModel, train: Samples) -> None:
    from tuner.qpm.finetuning import assigned_model

    accuracy = {}
    for control in ("none", "random"):
        found = assign(dense_features(dense, train, device="cpu"), replace(SMALL, control=control), seed=0)
        predicted = assigned_model(dense, found).predict(train.patches, train.cls)
        accuracy[control] = float((predicted == train.labels).float().mean())
    assert accuracy["none"] > accuracy["random"] + 0.1


@pytest.mark.parametrize("control", ["none", "random"])
def test_dead_features_are_never_chosen(control: str, half_dead: DenseModel, train: Samples) -> None:
    config = replace(SMALL, n_features=5, control=control)
    found = assign(dense_features(half_dead, train, device="cpu"), config, seed=0)
    assert (found.features % 2 == 1).all()
    assert found.info["n_dead"] >= 8
    assert found.info["n_candidates"] + found.info["n_dead"] == 16
    with pytest.raises(InfeasibleError, match="candidates"):
        assign(dense_features(half_dead, train, device="cpu"), replace(config, n_features=9), seed=0)


@pytest.mark.parametrize("control", ["none", "random"])
def test_same_seed_same_assignment(control: str, dense: DenseModel, train: Samples) -> None:
    config = replace(SMALL, control=control)
    first, again = (assign(dense_features(dense, train, device="cpu"), config, seed=4) for _ in range(2))
    assert np.array_equal(first.features, again.features)
    assert np.array_equal(first.matrix, again.matrix)
    if control == "random":
        other = assign(dense_features(dense, train, device="cpu"), config, seed=5)
        assert not np.array_equal(first.features, other.features)


def test_random_control_can_use_up_every_row(dense: DenseModel, train: Samples) -> None:
    config = AssignConfig(n_features=4, features_per_class=3, control="random")  # 4 subsets, 4 classes
    found = assign(dense_features(dense, train, device="cpu"), config, seed=0)
    assert len({row.tobytes() for row in found.matrix}) == 4
    with pytest.raises(InfeasibleError, match="subsets"):
        assign(dense_features(dense, train, device="cpu"), replace(config, n_features=3), seed=0)


def test_warm_start_is_given_in_the_dense_width(half_dead: DenseModel, train: Samples) -> None:
    config = replace(SMALL, n_features=5)
    cold = assign(dense_features(half_dead, train, device="cpu"), config, seed=0)
    warm = assign(dense_features(half_dead, train, device="cpu"), config, seed=0, warm_start=cold.features)
    assert warm.info["objective"] == pytest.approx(cold.info["objective"], rel=0.01)


def test_equal_answers_are_equal_files_however_long_they_took(
    dense: DenseModel, train: Samples, tmp_path: Path
) -> None:
    moments: list[Moment] = []

    def slow(moment: Moment) -> None:
        moments.append(moment)
        time.sleep(0.05)

    for folder, progress in (("a", None), ("b", slow)):
        assign(dense_features(dense, train, device="cpu"), SMALL, seed=4, progress=progress).save(tmp_path / folder)
    assert moments
    for name in ("assignment.json", "assignment.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_no_step_is_silent(dense: DenseModel, train: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.qpm.program import listener

    monkeypatch.setattr(listener, "SILENCE_S", 0.05)
    module = sys.modules["tuner.qpm.assignment"]
    for name in ("locality_bias", "problem_from_features"):
        monkeypatch.setattr(module, name, slowed(getattr(module, name)))
    moments: list[Moment] = []
    assign(dense_features(dense, train, device="cpu"), replace(SMALL, variant="paper"), seed=0, progress=moments.append)
    assert {moment.source for moment in moments if not moment.moved} >= {"locality bias", "pairs"}
    json.dumps([moment.as_json() for moment in moments], allow_nan=False)


def slowed(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work after a while."""

    def later(*args: Any, **options: Any) -> Any:
        time.sleep(0.3)
        return work(*args, **options)

    return later


def test_an_artifact_of_an_earlier_version_is_read(assignment: Assignment, tmp_path: Path) -> None:
    before = replace(assignment, info={**assignment.info, "seconds": 1.5, "status": "deadline"})
    before.save(tmp_path)
    loaded = Assignment.load(tmp_path)
    assert loaded.info["seconds"] == 1.5
    assert loaded.stopped_by_clock
    assert not assignment.stopped_by_clock


def test_no_adapter_no_assignment(train: Samples) -> None:
    bare = train_dense(train, AdapterConfig(n_layers=0), DenseConfig(epochs=1), seed=0, device="cpu")
    with pytest.raises(UsageError, match="without adapter"):
        assign(dense_features(bare, train, device="cpu"), SMALL, seed=0)


def test_saved_and_loaded(assignment: Assignment, tmp_path: Path) -> None:
    assignment.save(tmp_path / "a")
    loaded = Assignment.load(tmp_path / "a")
    for name in ("features", "matrix", "mean", "std"):
        assert np.array_equal(getattr(loaded, name), getattr(assignment, name)), name
        assert getattr(loaded, name).dtype == getattr(assignment, name).dtype
    assert loaded.info == assignment.info
    assert torch.as_tensor(loaded.matrix).dtype == torch.bool


def test_forced_pairs_go_from_the_recipe_to_the_model(dense: DenseModel, train: Samples) -> None:
    from tuner.qpm.finetuning import assigned_model, finetune
    from tuner.recipe import load_recipe

    sizes = ["n_features=8", "features_per_class=3", "assign.forced_pairs=4", "assign.gap=0"]
    recipe = load_recipe("digits", ["space={l1: {low: 1.0, high: 2.0}}", *sizes])
    forced = assign(dense_features(dense, train, device="cpu"), recipe.assign, seed=0)
    x = features_of(dense, train)
    c, d = closest_classes(relevance(x[:, x.std(0) > 1e-6], train.labels.numpy(), 4), 4)
    assert forced.info["forced_pairs"] == 4
    free = assign(dense_features(dense, train, device="cpu"), replace(recipe.assign, forced_pairs=0), seed=0)
    assert "forced_pairs" not in free.info
    assert ((free.matrix[c] & free.matrix[d]).sum(1) != 2).any(), "else this tests nothing"
    assert free.info["bound"] >= forced.info["objective"]
    tuned = finetune(
        dense, forced, train, replace(recipe.finetune, epochs=1, precision="float32"), seed=0, device="cpu"
    )
    for model in (assigned_model(dense, forced), tuned):
        table = model.head.assignment.cpu().numpy()
        assert ((table[c] & table[d]).sum(1) == 2).all()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["assign.forced_pairs=-1"], ["assign.forced_pairs=-1", "at least 0"]),
        (["assign.forced_pairs=2", "assign.control=random"], ["forced_pairs=2", "control=random", "set assign."]),
        (["space.assign.forced_pairs={choices: [0, 3]}", "assign.control=random"], ["forced_pairs=3"]),
    ],
    ids=["below 0", "with the control", "searched with the control"],
)
def test_forced_pairs_that_cannot_be_are_refused_with_the_recipe(overrides: list[str], words: list[str]) -> None:
    from tuner.recipe import load_recipe

    with pytest.raises(UsageError) as caught:
        load_recipe("digits", overrides)
    assert all(word in str(caught.value) for word in words)
    load_recipe("digits", ["space.assign.forced_pairs={choices: [0, 3]}"])


def test_more_forced_pairs_than_classes_have_make_a_trial_infeasible(dense: DenseModel, train: Samples) -> None:
    with pytest.raises(InfeasibleError, match="0 to 6, the pairs of 4 classes"):
        assign(dense_features(dense, train, device="cpu"), replace(SMALL, forced_pairs=7), seed=0)
