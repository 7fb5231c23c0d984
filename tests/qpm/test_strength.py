"""The scale of a feature's maps: its largest value in training, and no blowing up of what is silent."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tuner.features.bank import FeatureBank
from tuner.features.likeness import spread
from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment
from tuner.qpm.dense import DenseModel
from tuner.qpm.finetuning import QpmModel, assigned_model
from tuner.qpm.strength import SILENT, full_strength


def bank_of(samples: Samples) -> FeatureBank:
    """A bank whose first half is for training."""
    n = len(samples)
    assert samples.cls is not None
    return FeatureBank(
        patches=samples.patches.numpy(),
        cls=samples.cls.numpy(),
        labels=samples.labels.numpy(),
        is_train=np.arange(n) < n // 2,
        masks=None,
        has_mask=np.zeros(n, bool),
        grid=samples.grid,
        class_names=("a", "b", "c", "d"),
        paths=tuple(map(str, range(n))),
        class_attributes=None,
        image_attributes=None,
        key="",
        folder=Path(),
    )


@pytest.fixture
def model(dense: DenseModel, assignment: Assignment) -> QpmModel:
    return assigned_model(dense, assignment)


def test_full_strength_is_the_largest_value_on_training_images_alone(model: QpmModel, train: Samples) -> None:
    bank = bank_of(train)
    maps = model.feature_maps(train.patches.float(), train.cls.float())
    half = maps[: len(train) // 2].amax((0, 2)).numpy()
    np.testing.assert_allclose(full_strength(model, bank), half, rtol=1e-5)
    everything = full_strength(model, replace(bank, is_train=np.ones(len(train), bool)))
    np.testing.assert_allclose(everything, maps.amax((0, 2)).numpy(), rtol=1e-5)


def test_a_feature_that_never_fires_keeps_a_scale_that_shows_nothing(model: QpmModel, train: Samples) -> None:
    with torch.no_grad():
        model.adapter.layers[-1].norm.weight[2] = 1e-6
        model.adapter.layers[-1].norm.bias[2] = 1e-6
    full = full_strength(model, bank_of(train))
    maps = model.feature_maps(train.patches.float(), train.cls.float())[:, 2]
    assert full[2] == pytest.approx(SILENT * float(model.std[2]))
    assert 0 < float(maps.max()) < 0.01 * full[2]


def test_rows_are_spread_evenly_and_always_the_same() -> None:
    rows = np.arange(100, 1100)
    assert spread(rows, 2000) is rows
    few = spread(rows, 10)
    assert (few[0], few[-1], len(set(few.tolist()))) == (100, 1099, 10)
    assert np.ptp(np.diff(few)) <= 1
