"""Images that the dense stage is not trained on: the cut, and what the program makes of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.searches import tiny_recipe
from tuner.data.dataset import Dataset
from tuner.errors import UsageError
from tuner.features.samples import Samples
from tuner.qpm import AdapterConfig, AssignConfig, DenseConfig, DenseFeatures, assign, dense_features, train_dense
from tuner.qpm.assignment import Assignment
from tuner.qpm.held_out import trained_images
from tuner.recipe import load_recipe
from tuner.search.driver.split_check import refuse_unusable
from tuner.search.execute.plan import plan

SMALL = AssignConfig(n_features=8, features_per_class=3)
HELD_OUT = replace(SMALL, on="held_out")
SHORT = DenseConfig(epochs=2, batch_size=10, lr=1e-2, precision="float32", held_out=0.25)
PARAMS = {"n_features": 6, "features_per_class": 2, "width": 24}


def test_the_cut_is_stratified_seeded_and_leaves_two() -> None:
    labels = np.repeat([0, 1, 2, 3], [3, 4, 20, 41])
    trained = trained_images(labels, 0.2, 7)
    assert np.bincount(labels[~trained]).tolist() == [1, 1, 4, 8]
    assert np.bincount(labels[~trained_images(labels, 0.9, 7)]).tolist() == [1, 2, 18, 37]
    assert np.array_equal(trained, trained_images(labels, 0.2, 7))
    assert not np.array_equal(trained, trained_images(labels, 0.2, 8))
    assert trained_images(labels, 0.0, 7).all()
    with pytest.raises(UsageError, match=r"class 5 has 2 training images, and dense.held_out=0.2"):
        trained_images(np.array([0, 0, 0, 5, 5]), 0.2, 7)


@pytest.fixture(scope="module")
def features(train: Samples, adapter: AdapterConfig) -> DenseFeatures:
    model = train_dense(train, adapter, SHORT, seed=3, device="cpu")
    trained = trained_images(train.labels.numpy(), SHORT.held_out, 3)
    return dense_features(model, train, trained=trained, device="cpu")


def test_the_dense_stage_does_not_see_them(train: Samples, adapter: AdapterConfig) -> None:
    trained = trained_images(train.labels.numpy(), SHORT.held_out, 3)
    spoilt = train.subset(np.arange(len(train)))
    spoilt.patches[~trained] = 99.0
    here, there = (train_dense(images, adapter, SHORT, seed=3, device="cpu") for images in (train, spoilt))
    assert here.curves == there.curves
    assert np.array_equal(here.weight.detach().numpy(), there.weight.detach().numpy())
    spoilt.patches[trained] = 99.0
    assert train_dense(spoilt, adapter, SHORT, seed=3, device="cpu").curves != here.curves


@pytest.mark.parametrize("control", ["none", "random"])
def test_mean_and_deviation_are_those_of_the_held_out_images(control: str, features: DenseFeatures) -> None:
    found = assign(features, replace(HELD_OUT, control=control), seed=0)
    rows = features.pooled[~features.trained].astype(np.float64)[:, found.features]
    assert len(rows) == 12
    np.testing.assert_allclose(found.mean, rows.sum(0) / 12)
    np.testing.assert_allclose(found.std, np.sqrt(((rows - rows.sum(0) / 12) ** 2).sum(0) / 12))
    assert (found.info["on"], found.info["n_images"]) == ("held_out", 12)


def test_the_program_sees_only_them(features: DenseFeatures) -> None:
    def differs(other: Assignment, first: Assignment) -> bool:
        return not np.array_equal(other.mean, first.mean) or not np.array_equal(other.matrix, first.matrix)

    first = assign(features, HELD_OUT, seed=0)
    pooled = features.pooled.copy()
    pooled[features.trained] = 5.0
    elsewhere = replace(features, pooled=pooled)
    assert not differs(assign(elsewhere, HELD_OUT, seed=0), first)
    assert differs(assign(features, SMALL, seed=0), first)
    with pytest.raises(UsageError, match="trained on all 48 images"):
        assign(replace(features, trained=np.ones(48, dtype=np.bool_)), HELD_OUT, seed=0)


def test_keys_know_what_was_held_out() -> None:
    def keys(*overrides: str) -> list[str]:
        recipe = tiny_recipe("dense.precision=float32", "finetune.precision=float32", *overrides)
        return [spec.key for spec in plan(recipe.at(PARAMS), "bank")]

    none, cut, on = keys(), keys("dense.held_out=0.2"), keys("dense.held_out=0.2", "assign.on=held_out")
    assert not set(none) & set(cut)
    assert cut[0] == on[0]
    assert not set(cut[1:]) & set(on[1:])


@pytest.mark.parametrize(
    "overrides",
    [
        ["assign.on=held_out"],
        ["space.assign.on={choices: [train, held_out]}"],
        ["assign.on=held_out", "space.dense.held_out={low: 0.0, high: 0.4}"],
    ],
    ids=["fixed", "searched", "none in some trials"],
)
def test_held_out_images_that_are_not_there_are_refused_with_the_recipe(overrides: list[str]) -> None:
    with pytest.raises(UsageError, match=r"assign.on=held_out with dense.held_out=0") as told:
        load_recipe("digits", overrides)
    assert "dense.held_out, for example to 0.2" in told.value.todo


def test_a_recipe_file_may_say_on(tmp_path: Path) -> None:
    file = tmp_path / "held.yaml"
    kept = load_recipe("digits", ["dense.held_out=0.2", "assign.on=held_out"])
    file.write_text(kept.to_yaml())
    assert load_recipe(str(file)).assign.on == "held_out"
    file.write_text(kept.to_yaml().replace("'on':", "on:"))  # which is a boolean in some dialects of YAML
    assert load_recipe(str(file)).assign.on == "held_out"


def test_a_class_too_small_is_named_before_anything_is_computed() -> None:
    recipe = tiny_recipe("dense.held_out=0.2", "assign.on=held_out")
    labels = np.repeat([0, 1], [6, 4])
    data = Dataset(
        name="few",
        paths=tuple(f"{i}.png" for i in range(10)),
        labels=labels,
        is_train=np.arange(10) != 0,
        class_names=("wren", "robin"),
        has_mask=np.zeros(10, dtype=np.bool_),
        pictures=None,  # type: ignore[arg-type]
    )
    refuse_unusable(recipe, data)
    data.is_train[9] = False
    with pytest.raises(UsageError, match="fewer than 4 different training images: robin"):
        refuse_unusable(recipe, data)
    refuse_unusable(tiny_recipe(), data)
