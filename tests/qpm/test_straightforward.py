"""What the benchmark of training compares ours with is the same model and the same loss, only slower."""

from pathlib import Path

import pytest
import torch

from benchmarks.gpu_needs import gpu_needs
from benchmarks.naive_training import Straightforward, diversity, train, write_files
from tuner.features.samples import Samples
from tuner.qpm import AdapterConfig, DenseConfig, DenseModel, train_dense
from tuner.qpm.losses import diversity_loss
from tuner.qpm.randomness import generator

CONFIG = DenseConfig(epochs=8, batch_size=10, lr=1e-2, precision="float32", reestimate_batch_norm=False)


@pytest.fixture(scope="module")
def start(train: Samples) -> DenseModel:
    return DenseModel(
        AdapterConfig(width=16, hidden=12, n_layers=2), train.dim, 4, train.grid, generator(0, "dense", "init")
    )


def test_it_is_the_same_model_with_the_same_loss(start: DenseModel, train: Samples) -> None:
    plain = Straightforward(start).eval()
    tokens = train.patches.float()
    here, there = start.eval()(tokens, None), plain(tokens)
    for part, other in zip(here, there, strict=True):
        torch.testing.assert_close(part, other)
    torch.testing.assert_close(diversity(*there, plain.head.weight), diversity_loss(here, start.weight))


@pytest.mark.slow
def test_it_learns_as_ours_does(start: DenseModel, train: Samples, tmp_path: Path) -> None:
    images = Samples(train.patches, None, train.labels, None, None, train.grid, 4)
    files, told = write_files(images, tmp_path), []
    curves = train_straightforward(start, files, told)
    ours = train_dense(images, start.adapter.config, CONFIG, seed=0, device="cpu").curves
    assert len(told) == len(curves) == len(ours) == 8
    for mine, theirs in ((ours[0], curves[0]), (ours[-1], curves[-1])):
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=0.4)
    assert curves[-1]["loss"] < curves[0]["loss"] - 0.3


def train_straightforward(start: DenseModel, files: object, told: list[None]) -> list[dict[str, float]]:
    return train(start, files, CONFIG, torch.device("cpu"), 0, lambda: told.append(None))  # type: ignore[arg-type]


@pytest.mark.slow
def test_needs_of_a_gpu_are_counted() -> None:
    needs = gpu_needs()
    tokens = 5994 * 257 * 25
    macs = 768 * 2048 + 2 * 2048 * 2048 + 2048 * 512
    products = 2 * tokens * (3 * macs - 768 * 2048)  # forward, weights, inputs of all layers but the first
    assert needs["dense"]["flop"] == pytest.approx(products, rel=0.01)
    assert needs["finetune"]["steps"] == 25 * 375
    assert "Derived, not measured" in needs["lines"][0]
