"""The version of timm, whose code computes the tokens, belongs to what they are: keys, banks and models know it."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.features.timm_networks import write
from tests.packages import optional
from tuner.data.settings import DataConfig
from tuner.errors import TunerError
from tuner.features.extract import bank_key, extract_bank
from tuner.features.settings import BackboneConfig
from tuner.features.timm_backbone import FIRST, timm_of
from tuner.model import export_model, load_model
from tuner.qpm import (
    AdapterConfig,
    AssignConfig,
    DenseConfig,
    FinetuneConfig,
    assign,
    dense_features,
    finetune,
    train_dense,
)

timm = optional("timm", "timm")
pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path: Path) -> BackboneConfig:
    return BackboneConfig("timm", weights=str(write(tmp_path / "weights", "test_resnet")), image_size=64)


def test_another_version_is_another_bank_and_the_first_one_keeps_its_keys(
    photos: DataConfig, config: BackboneConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = []
    for version in (FIRST, "1.0.99", "1.1.0"):
        monkeypatch.setattr(timm, "__version__", version)
        keys.append(bank_key(photos, config))
    assert len(set(keys)) == 3
    monkeypatch.setattr(timm, "__version__", FIRST)
    bank = extract_bank(photos, config, tmp_path / "bank", device="cpu")
    assert bank.key == keys[0]
    assert bank.backbone is not None
    assert "timm" not in bank.backbone, "banks were made before their keys named it"
    assert timm_of(bank.backbone) == FIRST
    assert timm_of(bank.backbone | {"timm": "1.1.0"}) == "1.1.0"
    assert timm_of({"name": "dinov2"}) == ""
    assert {"torch", "timm", "numpy", "pillow"} == set(json.loads((bank.folder / "bank.json").read_text())["made_with"])


@pytest.mark.parametrize("written", [True, False], ids=["a-card-that-says-it", "a-card-of-before"])
def test_a_model_of_another_version_is_refused_with_both_named(
    photos: DataConfig, config: BackboneConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, written: bool
) -> None:
    monkeypatch.setattr(timm, "__version__", FIRST)
    bank = extract_bank(photos, config, tmp_path / "bank", device="cpu")
    samples = bank.samples(np.arange(len(bank)))
    dense = train_dense(
        samples, AdapterConfig(width=6, hidden=6, n_layers=2), DenseConfig(epochs=1), seed=0, device="cpu"
    )
    features = dense_features(dense, samples, device="cpu")
    table = assign(features, AssignConfig(n_features=4, features_per_class=2), seed=0)
    model = finetune(dense, table, samples, FinetuneConfig(epochs=1), seed=0, device="cpu")
    folder = tmp_path / "model"
    export_model(folder, model, bank, config, "photos", {})
    card = json.loads((folder / "card.json").read_text())
    assert card["timm"] == FIRST
    if not written:
        del card["timm"]
        (folder / "card.json").write_text(json.dumps(card))
    weights = str(Path(config.weights))
    load_model(folder, device="cpu", weights=weights)
    monkeypatch.setattr(timm, "__version__", "1.1.0")
    with pytest.raises(TunerError, match=f"are those of timm {FIRST}, and timm 1.1.0 is installed") as refused:
        load_model(folder, device="cpu", weights=weights)
    assert refused.value.todo == f"pip install timm=={FIRST}, or search again with timm 1.1.0"
