"""Flat parameters: the defaults are those of the stages, and wrong ones are named when `fit` begins."""

import inspect
import re
from dataclasses import Field, fields, replace
from typing import Any

import numpy as np
import pytest

from tuner.errors import UsageError
from tuner.estimator import QPMClassifier
from tuner.estimator.parameters import STAGES, parameter_names, stage_settings
from tuner.qpm import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig

OTHERS = {"grid", "backbone", "random_state", "device"}


def test_every_setting_of_the_stages_is_a_parameter_with_its_default() -> None:
    """A setting that is added to a stage fails here until it is a parameter of the estimator."""
    defaults = {name: one.default for name, one in inspect.signature(QPMClassifier).parameters.items()}
    assert defaults.keys() - OTHERS == set(parameter_names().values())
    for path, name in parameter_names().items():
        stage, _, field = path.partition(".")
        if name != "n_features":
            assert defaults[name] == getattr(STAGES[stage](), field), name
    assert defaults["n_features"] == "auto"
    settings = stage_settings(QPMClassifier().get_params())
    assert (settings.adapter, settings.dense, settings.finetune) == (AdapterConfig(), DenseConfig(), FinetuneConfig())
    assert settings.program == replace(AssignConfig(), n_features=AdapterConfig().width)


def test_every_parameter_is_documented_and_reaches_its_stage() -> None:
    described = re.findall(r"^        ([a-z0-9_]+): ", str(QPMClassifier.__doc__), re.MULTILINE)
    assert set(QPMClassifier().get_params()) <= set(described)
    changed: dict[str, Any] = {}
    for path, name in parameter_names().items():
        stage, _, field = path.partition(".")
        info = next(info for info in fields(STAGES[stage]) if info.name == field)
        changed[name] = _another(info)
    changed |= {"control": "none", "finetune_epochs": 40}  # random has no forced pairs, and rounds need epochs
    settings = stage_settings(QPMClassifier(**changed).get_params())
    made = dict(zip(STAGES, (settings.adapter, settings.dense, settings.program, settings.finetune), strict=True))
    for path, name in parameter_names().items():
        stage, _, field = path.partition(".")
        assert getattr(made[stage], field) == changed[name], path


def _another(info: Field[Any]) -> Any:
    """A value other than the default."""
    about, usual = info.metadata, info.default
    if about["choices"] is not None:
        return next(choice for choice in about["choices"] if choice != usual)
    if isinstance(usual, bool):
        return not usual
    if isinstance(usual, int):
        return usual + 1
    assert isinstance(usual, float)
    return usual / 2 if usual else 0.25


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
        ({"n_layers": 17}, "n_layers=17"),
        ({"residual": True}, "residual adds tokens of 3 numbers to 20 features"),
        ({"assign_on": "held_out"}, "assign_on='held_out' with dense_held_out=0"),
        ({"dense_held_out": 0.5}, "class 0 has 2 training images, and dense_held_out=0.5"),
        ({"forced_pairs": 2, "control": "random"}, "forced_pairs=2 with control='random'"),
        ({"finetune_rounds": 3, "finetune_round_epochs": 2}, "finetune_epochs is 4, and 2 of its 3 rounds take 4"),
    ],
    ids=lambda case: ",".join(map(str, case)) if isinstance(case, dict) else None,
)
def test_a_wrong_parameter_is_named(wrong: dict[str, Any], words: str, fast: dict[str, Any]) -> None:
    X, y = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 6
    with pytest.raises(UsageError) as told:
        QPMClassifier(**{**fast, **wrong}).fit(X, y)
    assert words in told.value.what
    assert told.value.expected
    assert told.value.todo
    said = f"{told.value.what} {told.value.expected} {told.value.todo}"
    assert not [path for path in parameter_names() if path in said], "it names settings of a recipe"


def test_numbers_of_numpy_count_as_numbers(fast: dict[str, Any]) -> None:
    wanted = {**fast, "n_features": np.int64(6), "dense_lr": np.float32(0.5), "dense_weight_decay": 0}
    settings = stage_settings(QPMClassifier(**wanted).get_params())
    assert type(settings.program.n_features) is int
    assert type(settings.dense.lr) is float
    assert type(settings.dense.weight_decay) is float


def test_the_newer_methods_are_fitted(maps: tuple[Any, Any], fast: dict[str, Any]) -> None:
    """CHiQPM on a program from held-out images, on a residual adapter with a learnt scale."""
    X, y = maps
    method = {"forced_pairs": 1, "assign_on": "held_out", "dense_held_out": 0.3, "finetune_rectified": True}
    rounds = {"finetune_rounds": 2, "finetune_round_epochs": 1, "finetune_grounding": 1.0, "finetune_l1_vector": 0.1}
    adapter = {"width": 6, "n_features": 6, "residual": True, "scale": True, "batch_norm": False}
    model = QPMClassifier(**{**fast, **method, **rounds, **adapter}).fit(X, y)
    assert model.report_["program"]["n_candidates"] == 6
    assert model.model_.head.rectified
    assert model.score(X, y) > 0.5
    shared = (model.assignment_[:, None] & model.assignment_[None]).sum(2)
    assert (shared[np.triu_indices(3, 1)] == 2).any(), "two classes share all features but one"
