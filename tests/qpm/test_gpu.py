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
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig

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
