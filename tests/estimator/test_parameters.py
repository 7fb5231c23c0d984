"""Flat parameters: the defaults are those of the stages, and wrong ones are named when `fit` begins."""

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest

from tuner.errors import UsageError
from tuner.estimator import QPMClassifier
from tuner.estimator.parameters import parameter_name, stage_settings
from tuner.qpm import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig

CONFIGS = (AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig)
OTHERS = {"grid", "backbone", "random_state", "device"}


def test_defaults_are_those_of_the_stages() -> None:
    defaults = {name: one.default for name, one in inspect.signature(QPMClassifier).parameters.items()}
    named = {parameter_name(config, field.name): field for config in CONFIGS for field in dataclasses.fields(config)}
    assert defaults.keys() - OTHERS <= named.keys()
    for name in defaults.keys() - OTHERS - {"n_features"}:
        assert defaults[name] == named[name].default, name
    assert defaults["n_features"] == "auto"
    settings = stage_settings(QPMClassifier().get_params())
    assert (settings.adapter, settings.dense, settings.finetune) == (AdapterConfig(), DenseConfig(), FinetuneConfig())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n_features": 30}, "n_features=30 is above width=20"),
        ({"n_features": 2}, "features_per_class=3 is above n_features=2"),
        ({"n_features": "auto", "width": 2}, "features_per_class=3 is above width=2"),
        ({"n_features": "many"}, "n_features='many'"),
        ({"n_features": 4.5}, "n_features=4.5"),
        ({"n_features": True}, "n_features=True"),
        ({"features_per_class": 0}, "features_per_class=0"),
        ({"n_layers": 0}, "n_layers=0"),
        ({"pooling": "sum"}, "pooling='sum'"),
        ({"dense_lr": float("nan")}, "dense_lr=nan"),
        ({"dense_lr": "fast"}, "dense_lr='fast'"),
        ({"finetune_dropout": 0.95}, "finetune_dropout=0.95"),
        ({"finetune_batch_size": 1}, "finetune_batch_size=1"),
        ({"reestimate_batch_norm": "no"}, "reestimate_batch_norm='no'"),
        ({"random_state": -1}, "random_state=-1"),
        ({"random_state": "seed"}, "'seed'"),
        ({"device": "abacus"}, "device=abacus"),
        ({"pooling": "cls"}, "pooling cls on tokens without CLS"),
    ],
    ids=lambda case: ",".join(map(str, case)) if isinstance(case, dict) else None,
)
def test_a_wrong_parameter_is_named(wrong: dict[str, Any], words: str, fast: dict[str, Any]) -> None:
    X, y = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 3
    with pytest.raises(UsageError) as told:
        QPMClassifier(**{**fast, **wrong}).fit(X, y)
    assert words in told.value.what
    assert told.value.expected
    assert told.value.todo


def test_numbers_of_numpy_count_as_numbers(fast: dict[str, Any]) -> None:
    wanted = {**fast, "n_features": np.int64(6), "dense_lr": np.float32(0.5), "dense_weight_decay": 0}
    settings = stage_settings(QPMClassifier(**wanted).get_params())
    assert type(settings.program.n_features) is int
    assert type(settings.dense.lr) is float
    assert type(settings.dense.weight_decay) is float
