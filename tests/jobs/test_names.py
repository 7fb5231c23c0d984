"""File and class names that are not UTF-8, as old archives hold them, stop no command."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import explain
from tuner.data.settings import DataConfig
from tuner.features.extract import extract_bank
from tuner.features.settings import BackboneConfig
from tuner.model import export_model
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

BACKBONE = BackboneConfig("patch_dictionary", image_size=24, grid=6, n_atoms=16)
LATIN_1 = os.fsdecode(b"caf\xe9")


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model trained on classes `a` and `caf\\xe9`, whose folder and files have names in Latin-1."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for label, name in enumerate(("a", LATIN_1)):
        (tmp_path / "root" / name).mkdir(parents=True)
        for i in range(8):
            pixels = generator.integers(0, 128 + 127 * label, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "root" / name / f"{i}-{name}.png")
    bank = extract_bank(DataConfig("folder", root=str(tmp_path / "root")), BACKBONE, tmp_path / "bank")
    assert bank.paths[8] == f"{LATIN_1}/0-{LATIN_1}.png"
    train = bank.samples(bank.is_train)
    dense = train_dense(train, AdapterConfig(width=8, hidden=8, n_layers=2), DenseConfig(epochs=1), seed=0)
    table = assign(dense_features(dense, train), AssignConfig(n_features=4, features_per_class=2), seed=0)
    (tmp_path / "model").mkdir()
    trained = finetune(dense, table, train, FinetuneConfig(epochs=1), seed=0)
    export_model(tmp_path / "model", trained, bank, BACKBONE, "folder", {})
    return tmp_path / "model"


def test_explain_shows_them_with_a_replacement(model: Path, tmp_path: Path, capsys) -> None:
    image = tmp_path / "root" / LATIN_1 / f"3-{LATIN_1}.png"
    page = tmp_path / "why.html"
    assert explain.main(["--model", str(model), str(image), "--out", str(page)]) == 0
    assert "3-caf\ufffd.png" in page.read_text(encoding="utf-8")
    assert "3-caf\ufffd.png" in capsys.readouterr().out
    assert explain.main(["--model", str(model), str(image), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["image"].endswith("/caf\ufffd/3-caf\ufffd.png")
    assert {answer["class"], answer["runner_up"]} == {"a", "caf\\xe9"}
