"""The training loop: the optimiser's formula, determinism, resuming, divergence, batch-norm statistics."""

import pickle
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tuner.errors import TunerError, UsageError
from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment
from tuner.qpm.checkpoint import CheckpointError
from tuner.qpm.classifier import Classifier
from tuner.qpm.dense import DenseModel, train_dense
from tuner.qpm.finetuning import finetune
from tuner.qpm.precision import settle
from tuner.qpm.probe import train_linear_probe
from tuner.qpm.randomness import dropout, generator
from tuner.qpm.settings import AdapterConfig, DenseConfig, FinetuneConfig
from tuner.qpm.storage import write_tensors
from tuner.qpm.training import DivergedError, shuffled

QUICK = DenseConfig(epochs=3, batch_size=10, precision="float32")


def assert_same(a: Classifier, b: Classifier) -> None:
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name
    assert a.curves == b.curves


def test_steps_are_schedule_free_adamw_and_the_average_is_kept(train: Samples) -> None:
    """docs/explanation/method.md#optimiser by hand, on a linear model: train at y, keep xbar, the mean of all z."""
    config = DenseConfig(epochs=2, batch_size=16, lr=0.01, weight_decay=0.1, diversity=0.0, dropout=0.0)
    bare = AdapterConfig(n_layers=0, pooling="avg")
    model = train_dense(train, bare, config, seed=5, device="cpu")
    start = DenseModel(bare, train.dim, train.n_classes, train.grid, generator(5, "dense", "init"))
    z = [p.detach().double() for p in start.head.parameters()]
    mean, v = [p.clone() for p in z], [torch.zeros_like(p) for p in z]
    x = train.patches.double().mean(1)
    step = 0
    for epoch in range(2):
        order = torch.randperm(len(train), generator=generator(5, "dense", "order", epoch))
        for index in order.split(16):
            step += 1
            y = [(0.1 * a + 0.9 * b).requires_grad_() for a, b in zip(z, mean, strict=True)]
            logits = x[index] @ y[0].T + y[1]
            loss = torch.nn.functional.cross_entropy(logits, train.labels[index])
            for i, g in enumerate(torch.autograd.grad(loss, y)):
                v[i] = 0.999 * v[i] + 0.001 * g.square()
                scale = (v[i] / (1 - 0.999**step)).sqrt() + 1e-8
                z[i] = z[i] - 0.01 * (g / scale + 0.1 * y[i].detach())
                mean[i] = mean[i] + (z[i] - mean[i]) / step
    torch.testing.assert_close(
        [p.double() for p in model.head.parameters()], mean, atol=1e-4, rtol=0.0
    )  # a step is 0.01


def test_same_seed_same_model_and_no_global_generator(train: Samples, adapter: AdapterConfig) -> None:
    noisy = replace(adapter, dropout=0.1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = train_dense(train, noisy, QUICK, seed=1, device="cpu")
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert_same(first, train_dense(train, noisy, QUICK, seed=1, device="cpu"))
    other = train_dense(train, noisy, QUICK, seed=2, device="cpu")
    assert not torch.equal(first.weight, other.weight)


class Interrupted(Exception):
    """Stands for a killed process."""


def interrupt_after(epoch: int):
    def progress(done: int, epochs: int, values: dict[str, float]) -> None:
        if done == epoch:
            raise Interrupted

    return progress


def test_resumed_dense_training_is_bit_equal(train: Samples, adapter: AdapterConfig, tmp_path: Path) -> None:
    config, noisy = replace(QUICK, epochs=5), replace(adapter, dropout=0.1)
    whole = train_dense(train, noisy, config, seed=1, device="cpu")
    file = tmp_path / "state" / "dense.safetensors"
    with pytest.raises(Interrupted):
        train_dense(train, noisy, config, seed=1, device="cpu", checkpoint=file, progress=interrupt_after(2))
    epochs = []
    resumed = train_dense(
        train, noisy, config, seed=1, device="cpu", checkpoint=file, progress=lambda e, n, row: epochs.append(e)
    )
    assert epochs == [3, 4, 5]
    assert_same(whole, resumed)
    assert [path.name for path in file.parent.iterdir()] == ["dense.safetensors"]
    assert_same(whole, train_dense(train, noisy, config, seed=1, device="cpu", checkpoint=file))


def test_resumed_fine_tuning_is_bit_equal(
    dense: DenseModel, assignment: Assignment, train: Samples, tmp_path: Path
) -> None:
    config = FinetuneConfig(epochs=4, batch_size=10, precision="float32")
    whole = finetune(dense, assignment, train, config, seed=1, device="cpu")
    file = tmp_path / "finetune.safetensors"
    with pytest.raises(Interrupted):
        finetune(dense, assignment, train, config, seed=1, device="cpu", checkpoint=file, progress=interrupt_after(3))
    assert_same(whole, finetune(dense, assignment, train, config, seed=1, device="cpu", checkpoint=file))


def test_a_finished_checkpoint_carries_on_to_more_epochs(
    train: Samples, adapter: AdapterConfig, tmp_path: Path
) -> None:
    file = tmp_path / "dense.safetensors"
    train_dense(train, adapter, QUICK, seed=1, device="cpu", checkpoint=file)
    longer = replace(QUICK, epochs=5)
    resumed = train_dense(train, adapter, longer, seed=1, device="cpu", checkpoint=file)
    assert_same(resumed, train_dense(train, adapter, longer, seed=1, device="cpu"))
    with pytest.raises(UsageError, match="5 epochs"):
        train_dense(train, adapter, QUICK, seed=1, device="cpu", checkpoint=file)


def test_a_damaged_checkpoint_is_refused(train: Samples, adapter: AdapterConfig, tmp_path: Path) -> None:
    file = tmp_path / "dense.safetensors"
    for content in (b"", b"half a file", b"\2\0\0\0\0\0\0\0{}"):  # the last: sound, but of something else
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match="cannot be read"):
            train_dense(train, adapter, QUICK, seed=1, device="cpu", checkpoint=file)


def test_a_full_disk_is_an_error_of_the_system_that_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large"):
            write_tensors(file, {"weights": torch.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    write_tensors(file, {"weights": torch.ones(1000), "bias": torch.zeros(3)}, {"about": "x"})
    save_file({"weights": torch.ones(1000), "bias": torch.zeros(3)}, tmp_path / "theirs", {"about": "x"})
    assert file.read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, "seed, start"),
        ({"lr": 0.5}, "lr"),
        ({"images": 40}, "n_images"),
        ({"precision": "bfloat16"}, "precision"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(
    change: dict[str, Any], named: str, train: Samples, adapter: AdapterConfig, tmp_path: Path
) -> None:
    file = tmp_path / "dense.safetensors"
    train_dense(train, adapter, replace(QUICK, epochs=1), seed=1, device="cpu", checkpoint=file)
    data = train.subset(torch.arange(int(change.get("images", len(train)))))
    config = replace(QUICK, lr=change.get("lr", QUICK.lr), precision=change.get("precision", QUICK.precision))
    with pytest.raises(UsageError, match=f"another run: {named} differ"):
        train_dense(data, adapter, config, seed=int(change.get("seed", 1)), device="cpu", checkpoint=file)


def test_a_broken_checkpoint_is_named(train: Samples, adapter: AdapterConfig, tmp_path: Path) -> None:
    file = tmp_path / "dense.safetensors"
    file.write_bytes(b"\0" * 100)
    with pytest.raises(TunerError, match="cannot be read"):
        train_dense(train, adapter, QUICK, seed=1, device="cpu", checkpoint=file)


def test_divergence_names_stage_epoch_and_lr(train: Samples, adapter: AdapterConfig) -> None:
    broken = replace(train, patches=train.patches.clone())
    broken.patches[5, 3, 1] = float("nan")
    with pytest.raises(DivergedError, match=r"dense training diverged: the loss of epoch 1 .*lr 0.001") as info:
        train_dense(broken, adapter, QUICK, seed=1, device="cpu")
    for error in (info.value, pickle.loads(pickle.dumps(info.value))):  # as on its way from a worker
        assert (error.stage, error.epoch, error.lr) == ("dense", 1, 1e-3)
        assert str(error) == str(info.value)


@pytest.mark.parametrize(("stage", "todo"), [("finetune", "finetune.lr"), ("sldd", "finetune.lr"), ("probe", "check")])
def test_divergence_names_a_field_that_a_recipe_has(stage: str, todo: str) -> None:
    assert DivergedError(stage, 1, 0.1).todo.startswith((todo, f"lower {todo}"))


def test_batch_norm_statistics_are_those_of_the_kept_weights(train: Samples, adapter: AdapterConfig) -> None:
    model = train_dense(train, adapter, replace(QUICK, reestimate_batch_norm=True), seed=1, device="cpu")
    stale = train_dense(train, adapter, replace(QUICK, reestimate_batch_norm=False), seed=1, device="cpu")
    first = model.adapter.layers[0]
    means, variances = [], []
    for index in torch.randperm(len(train), generator=generator(1, "dense", "batch norm")).split(10):
        tokens = torch.cat([train.patches[index].reshape(-1, train.dim), train.cls[index]]).float()
        out = tokens @ first.linear.weight.T + first.linear.bias
        means.append(out.mean(0))
        variances.append(out.var(0))
    torch.testing.assert_close(first.norm.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(first.norm.running_var, torch.stack(variances).mean(0))
    assert first.norm.momentum == 0.1
    assert torch.equal(first.linear.weight, stale.adapter.layers[0].linear.weight)
    assert not torch.allclose(first.norm.running_mean, stale.adapter.layers[0].norm.running_mean)


def test_an_epoch_sees_every_image_once(train: Samples) -> None:
    parts = list(shuffled(train, 10, torch.Generator().manual_seed(0)))
    assert [len(labels) for _, _, labels in parts] == [10, 10, 10, 10, 8]
    seen = torch.cat([patches for patches, _, _ in parts]).flatten(1)
    assert {tuple(row) for row in seen.tolist()} == {tuple(row) for row in train.patches.flatten(1).tolist()}


def test_curves_tell_loss_terms_and_accuracy(dense: DenseModel) -> None:
    assert [row["epoch"] for row in dense.curves] == [1, 2, 3, 4, 5, 6]
    assert set(dense.curves[0]) == {"epoch", "loss", "cross_entropy", "diversity", "accuracy"}
    for row in dense.curves:
        assert row["loss"] == pytest.approx(row["cross_entropy"] + row["diversity"], abs=1e-5)
    assert dense.curves[-1]["accuracy"] > dense.curves[0]["accuracy"]


def test_bfloat16_trains_close_to_float32_and_keeps_float32_weights(train: Samples, adapter: AdapterConfig) -> None:
    exact = train_dense(train, adapter, QUICK, seed=1, device="cpu")
    half = train_dense(train, adapter, replace(QUICK, precision="bfloat16"), seed=1, device="cpu")
    assert half.weight.dtype == torch.float32
    a, b = (m.logits(train.patches, train.cls) for m in (exact, half))
    assert not torch.equal(a, b)
    assert (a - b).norm() < 0.1 * a.norm()


def test_precision_is_a_name() -> None:
    cpu = torch.device("cpu")
    assert settle("float32", cpu) == "float32"
    assert settle("bfloat16", cpu) == "bfloat16"
    assert settle("auto", cpu) in ("float32", "bfloat16")


@pytest.mark.parametrize("fast", [True, False])
def test_a_checkpoint_holds_what_auto_came_to(
    fast: bool, train: Samples, adapter: AdapterConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine with fast bfloat16 and one without must not continue each other's run."""
    file, config = tmp_path / "dense.safetensors", replace(QUICK, epochs=1, precision="auto")
    monkeypatch.setattr("tuner.qpm.precision._fast_bfloat16", lambda device: fast)
    train_dense(train, adapter, config, seed=1, device="cpu", checkpoint=file)
    monkeypatch.setattr("tuner.qpm.precision._fast_bfloat16", lambda device: not fast)
    with pytest.raises(UsageError, match="precision"):
        train_dense(train, adapter, config, seed=1, device="cpu", checkpoint=file)


def test_dropout_keeps_the_mean_and_needs_noise() -> None:
    x = torch.ones(200, 200)
    assert dropout(x, 0.3, None) is x
    out = dropout(x, 0.3, torch.Generator().manual_seed(0))
    assert out.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert float(out.mean()) == pytest.approx(1.0, abs=0.02)


def test_generators_of_different_purpose_differ() -> None:
    draws = {
        tuple(torch.rand(3, generator=generator(*key)).tolist())
        for key in [(0, "dense", 0), (0, "dense", 1), (1, "dense", 0), (0, "finetune", 0)]
    }
    assert len(draws) == 4


@pytest.mark.parametrize("with_cls", [True, False])
def test_linear_probe_learns(with_cls: bool, train: Samples) -> None:
    data = train if with_cls else replace(train, cls=None)
    probe = train_linear_probe(data, seed=0, device="cpu")
    assert len(probe.curves) == 40
    assert probe.curves[-1]["loss"] < probe.curves[0]["loss"]
    assert (probe.predict(data.patches, data.cls) == data.labels).float().mean() > 0.4  # chance 0.25
    token = data.patches.float().mean(1) if data.cls is None else data.cls.float()
    torch.testing.assert_close(probe.logits(data.patches, data.cls), token @ probe.weight.T + probe.head.bias)
    assert probe.feature_maps(data.patches, data.cls).shape == (48, 6, 12)
