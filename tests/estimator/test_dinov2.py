"""A backbone with a CLS token, pre-trained weights in a folder: a small DINOv2 with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.packages import optional
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.estimator import QPMClassifier
from tuner.features.extract import extract_bank
from tuner.features.settings import BackboneConfig
from tuner.qpm import AdapterConfig, DenseConfig, dense_features, train_dense
from tuner.qpm.assignment import assign
from tuner.qpm.finetuning import finetune
from tuner.qpm.settings import AssignConfig, FinetuneConfig

pytestmark = pytest.mark.slow
transformers = optional("transformers", "dino")


def small_dinov2(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 28, "patch_size": 14}
    transformers.Dinov2Model(transformers.Dinov2Config(**shape)).save_pretrained(folder)
    return folder


def test_cls_tokens_count_as_in_a_bank_and_weights_are_named_by_the_user(fast: dict[str, Any], tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 120)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(6):
            pixels = draw.integers(low, low + 130, (28, 28, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    weights = small_dinov2(tmp_path / "weights", 0)
    backbone = BackboneConfig("dinov2", weights=str(weights), image_size=28)
    bank = extract_bank(DataConfig(name="folder", root=str(tmp_path / "photos")), backbone, tmp_path / "bank")
    files = [tmp_path / "photos" / path for path in bank.paths]

    model = QPMClassifier(**fast, backbone=backbone, pooling="concat_avg").fit(files, bank.labels)
    samples = bank.samples(np.arange(len(bank)))
    dense = train_dense(
        samples,
        AdapterConfig(width=20, hidden=24, n_layers=2, pooling="concat_avg"),
        DenseConfig(epochs=4, lr=0.01),
        seed=0,
        device="cpu",
    )
    table = assign(
        dense_features(dense, samples, device="cpu"),
        AssignConfig(n_features=10, features_per_class=3, effort=5000),
        seed=0,
    )
    by_hand = finetune(dense, table, samples, FinetuneConfig(epochs=4, l1=0.5), seed=0, device="cpu").state_dict()
    assert all(torch.equal(values, by_hand[name]) for name, values in model.model_.state_dict().items())

    model.save(tmp_path / "model")
    with pytest.raises(UsageError, match=r"QPMClassifier\.load"):
        QPMClassifier.load(tmp_path / "model")
    again = QPMClassifier.load(tmp_path / "model", weights=str(weights), device="cpu")
    assert np.array_equal(again.predict_proba(files), model.predict_proba(files))
    with pytest.raises(TunerError, match="not the one that is here"):
        QPMClassifier.load(tmp_path / "model", weights=str(small_dinov2(tmp_path / "other", 1)))
