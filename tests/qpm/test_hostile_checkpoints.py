"""An epoch checkpoint that is damaged or of something else: refused as a whole, and nothing of it is taken."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from safetensors import safe_open

from tuner.features.samples import Samples
from tuner.qpm import AdapterConfig, DenseConfig, DenseModel, train_dense
from tuner.qpm.checkpoint import CheckpointError

CONFIG = DenseConfig(epochs=2, precision="float32")


@pytest.fixture(scope="module")
def half_way(tmp_path_factory: pytest.TempPathFactory, train: Samples) -> Path:
    """The checkpoint after the first of two epochs."""
    file = tmp_path_factory.mktemp("checkpoint") / "dense.ckpt"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_dense(
            train, AdapterConfig(width=16, hidden=12, n_layers=2), CONFIG, seed=1, checkpoint=file, progress=stop
        )
    return file


def resumed(train: Samples, file: Path) -> DenseModel:
    return train_dense(train, AdapterConfig(width=16, hidden=12, n_layers=2), CONFIG, seed=1, checkpoint=file)


def rewritten(**arrays: np.ndarray | None) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata()
        tensors = safetensors.numpy.load_file(file) | arrays
        kept = {name: values for name, values in tensors.items() if values is not None}
        file.write_bytes(safetensors.numpy.save(kept, metadata))

    return change


def retold(**about: Any) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with safe_open(file, framework="np") as opened:
            told = json.loads(opened.metadata()["about"]) | about
        metadata = {"about": json.dumps({key: value for key, value in told.items() if value is not None})}
        file.write_bytes(safetensors.numpy.save(safetensors.numpy.load_file(file), metadata))

    return change


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "half": lambda file: file.write_bytes(file.read_bytes()[:1000]),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"x"),
    "deep": lambda file: file.write_bytes(b"[" * 100_000),
    "a missing tensor": rewritten(**{"model.head.weight": None}),
    "a tensor more": rewritten(more=np.zeros(3, np.float32)),
    "another shape": rewritten(**{"model.head.weight": np.zeros((4, 4), np.float32)}),
    "another type": rewritten(**{"model.head.weight": np.zeros((4, 16), np.float64)}),
    "not finite": rewritten(**{"model.head.weight": np.full((4, 16), np.nan, np.float32)}),
    "a moment of another shape": rewritten(**{"z.0": np.zeros(3, np.float32)}),
    "no moment": rewritten(**{"exp_avg_sq.1": None}),
    "no origin": retold(origin=None),
    "an origin that is a list": retold(origin=[]),
    "no counters": retold(counters=None),
    "odd counters": retold(counters={"k": "one"}),
    "no curves": retold(curves=[]),
    "curves that are texts": retold(curves=["a"]),
    "curves without numbers": retold(curves=[{"loss": "low"}]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_it_is_refused_and_a_fresh_start_gives_the_same(train, half_way, tmp_path, damage):
    file = tmp_path / "dense.ckpt"
    shutil.copy(half_way, file)
    damage(file)
    with pytest.raises(CheckpointError) as caught:
        resumed(train, file)
    assert str(file) in caught.value.what


def test_a_sound_one_carries_on(train, half_way, tmp_path):
    file = tmp_path / "dense.ckpt"
    shutil.copy(half_way, file)
    carried_on, straight = resumed(train, file), resumed(train, tmp_path / "none")
    for name, values in straight.state_dict().items():
        assert torch.equal(values, carried_on.state_dict()[name]), name
