"""On a device of its own nothing is mixed with tensors of the CPU, and no epoch waits for the device."""

from collections.abc import Iterator

import pytest
import torch

from tests.two_devices import FAR, SecondDevice, on_the_cpu
from tuner.features.samples import Samples
from tuner.qpm import (
    AdapterConfig,
    DenseConfig,
    DenseModel,
    FinetuneConfig,
    QsennConfig,
    SlddConfig,
    dense_features,
    evaluate,
    finetune,
    train_dense,
    train_qsenn,
    train_sldd,
    training,
)
from tuner.qpm.assignment import Assignment
from tuner.qpm.finetuning import assigned_model
from tuner.qpm.randomness import generator
from tuner.qpm.training import one_epoch, optimizer_of

DENSE = DenseConfig(epochs=1, batch_size=10, precision="float32")
TUNED = FinetuneConfig(epochs=1, batch_size=10, precision="float32", grounding=1.0, l1_vector=0.5)


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondDevice]:
    monkeypatch.setattr(training, "generator", on_the_cpu(generator))
    with SecondDevice() as device:
        yield device


def test_what_waits_and_what_mixes_is_seen(second: SecondDevice) -> None:
    far, near = torch.ones(3, device=FAR), torch.ones(3)
    assert float((2 * far + far).sum()) == 9.0
    assert second.waits == ["aten._local_scalar_dense"]
    assert not second.mixed
    _ = far + near
    _ = far[torch.tensor([0, 1])]
    assert second.mixed == ["aten.add", "aten.index"]
    assert far[far > 0].cpu().tolist() == [1.0, 1.0, 1.0]
    assert "aten._to_copy" in second.waits
    assert type(far.cpu()) is torch.Tensor


@pytest.mark.parametrize("stage", ["dense", "finetune"])
def test_no_epoch_waits_for_the_device(
    stage: str, second: SecondDevice, dense: DenseModel, assignment: Assignment, train: Samples
) -> None:
    model = DenseModel(dense.adapter.config, dense.adapter.dim, 4, dense.grid, generator(1, "start"))
    config = DENSE if stage == "dense" else TUNED
    started = model.to(FAR) if stage == "dense" else assigned_model(dense, assignment).to(FAR)
    samples, draws = train.to(FAR), torch.Generator()
    second.waits.clear()
    sums = one_epoch(started, optimizer_of(started, config), samples, torch.arange(48), config, draws, draws)
    assert sums["loss"].device == next(started.parameters()).device == FAR
    assert second.waits == []
    assert second.mixed == []
    assert 0 < float(sums["loss"]) / 48 < 100


def test_stages_on_a_device_of_its_own_are_those_on_the_cpu(
    second: SecondDevice, assignment: Assignment, train: Samples, held_out: Samples
) -> None:
    adapter = AdapterConfig(width=16, hidden=12, n_layers=2)
    found = []
    for device in ("cpu", "meta"):
        model = train_dense(train, adapter, DENSE, seed=2, device=device, validation=held_out)
        features = dense_features(model, train, device=device)
        tuned = finetune(model, assignment, train, TUNED, seed=2, device=device, validation=held_out)
        found.append((model.curves, features.pooled, tuned.curves, evaluate(tuned, train, held_out, device=device)))
        assert next(tuned.parameters()).device.type == device
    assert second.mixed == []
    (curves, pooled, tuned_curves, values), (far_curves, far_pooled, far_tuned, far_values) = found
    assert curves == far_curves
    assert "val_loss" in curves[0]
    assert (pooled == far_pooled).all()
    assert tuned_curves == far_tuned
    assert values == far_values


def test_sparse_methods_mix_no_devices(second: SecondDevice, dense: DenseModel, train: Samples) -> None:
    """Selection, paths, heads and training; the dense model begins on the CPU."""
    sizes = {"n_features": 4, "features_per_class": 1, "batch_size": 24, "precision": "float32", "most_steps": 2}
    for device in ("cpu", "meta"):
        start = DenseModel(dense.adapter.config, dense.adapter.dim, 4, dense.grid)
        start.load_state_dict(dense.state_dict())
        sldd = train_sldd(start, train, SlddConfig(**sizes, epochs=1, path_lambdas=3), seed=2, device=device)
        qsenn = QsennConfig(**sizes, epochs=2, rounds=2, round_epochs=1)
        ternary = train_qsenn(start, train, qsenn, seed=2, device=device)
        told = (sldd.info, sldd.curves, ternary.info, ternary.curves)
        assert next(sldd.parameters()).device.type == device
        if device == "cpu":
            near = told
    assert second.mixed == []
    assert told == near
