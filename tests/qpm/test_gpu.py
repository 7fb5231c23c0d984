"""The whole method on a GPU: same stages, same interface, results back on any machine."""

from pathlib import Path

import pytest
import torch

from tuner.features.samples import Samples
from tuner.qpm.assignment import assign
from tuner.qpm.dense import dense_features, train_dense
from tuner.qpm.evaluation import evaluate
from tuner.qpm.explanation import explain
from tuner.qpm.finetuning import QpmModel, finetune
from tuner.qpm.qsenn import train_qsenn
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig, QsennConfig, SlddConfig
from tuner.qpm.sldd import train_sldd

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine"),
]


def test_all_stages_on_the_gpu(train: Samples, held_out: Samples, adapter: AdapterConfig, tmp_path: Path) -> None:
    config = DenseConfig(epochs=3, batch_size=10, precision="float32")
    on_gpu = train_dense(train, adapter, config, seed=1, device="cuda", checkpoint=tmp_path / "c.safetensors")
    on_cpu = train_dense(train, adapter, config, seed=1, device="cpu")
    assert on_gpu.weight.device.type == "cuda"
    torch.testing.assert_close(on_gpu.curves[0]["loss"], on_cpu.curves[0]["loss"], rtol=0.2, atol=0.2)
    found = assign(
        dense_features(on_gpu, train, device="cuda"),
        AssignConfig(n_features=8, features_per_class=5, deadline_s=5),
        seed=1,
    )
    model = finetune(on_gpu, found, train, FinetuneConfig(epochs=2), seed=1, device="cuda")
    here = evaluate(model, train, held_out, device="cuda")
    model.save(tmp_path / "m")
    there = evaluate(QpmModel.load(tmp_path / "m"), train, held_out, device="cpu")
    assert there == pytest.approx(here, abs=0.5)
    assert explain(model, held_out, 0, image_size=(30, 40)).evidence


def test_sparse_methods_on_the_gpu(train: Samples, adapter: AdapterConfig) -> None:
    dense = train_dense(train, adapter, DenseConfig(epochs=3, batch_size=10, precision="float32"), seed=1, device="cpu")
    sldd = SlddConfig(n_features=8, features_per_class=2, epochs=1, precision="float32")
    here, there = (train_sldd(dense, train, sldd, seed=1, device=device) for device in ("cpu", "cuda"))
    assert there.info["selected"] == here.info["selected"]
    torch.testing.assert_close(there.weight.cpu(), here.weight, rtol=0.05, atol=0.01)
    qsenn = QsennConfig(n_features=8, features_per_class=2, epochs=2, rounds=2, round_epochs=1)
    assert train_qsenn(dense, train, qsenn, seed=1, device="cuda").weight.unique().numel() == 3
