"""The bank, a prediction and the pictures of report and explanation see the same pixels of one file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.features.bank import FeatureBank
from tuner.features.extract import extract_bank
from tuner.features.settings import BackboneConfig
from tuner.model import ExportedModel, export_model, load_model
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
from tuner.qpm.finetuning import QpmModel
from tuner.search.outcome.pictures import ModelPictures

BACKBONE = BackboneConfig(n_atoms=12, patch_size=8, grid=4, image_size=16, batch_size=4)


@pytest.fixture
def odd_photos(tmp_path: Path, crop) -> DataConfig:
    """Twelve crops: turned, cut out, of 16 bits, with a palette; two classes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(12):
        photo, file = crop(i), tmp_path / "images" / "ab"[i % 2] / f"{i:02d}"
        file.parent.mkdir(parents=True, exist_ok=True)
        if i % 8 < 2:
            photo.save(file.with_suffix(".jpg"), exif=exif)
        elif i % 8 < 4:
            photo.putalpha(photo.convert("L"))
            photo.save(file.with_suffix(".png"))
        elif i % 8 < 6:
            Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 200).save(file.with_suffix(".tif"))
        else:
            photo.save(file.with_suffix(".gif"))
    return DataConfig(name="folder", root=str(tmp_path / "images"))


def _exported(data: DataConfig, folder: Path) -> tuple[FeatureBank, QpmModel, ExportedModel]:
    bank = extract_bank(data, BACKBONE, folder / "bank", device="cpu")
    samples = bank.samples(np.arange(len(bank)))
    adapter, dense_config = AdapterConfig(width=6, hidden=6, n_layers=2), DenseConfig(epochs=1, lr=1e-2)
    dense = train_dense(samples, adapter, dense_config, seed=0, device="cpu")
    table = assign(
        dense_features(dense, samples, device="cpu"), AssignConfig(n_features=4, features_per_class=2), seed=0
    )
    model = finetune(dense, table, samples, FinetuneConfig(epochs=1), seed=0, device="cpu")
    export_model(folder / "model", model, bank, BACKBONE, "folder", {})
    return bank, model, load_model(folder / "model", device="cpu")


def test_one_file_is_one_picture_everywhere(odd_photos: DataConfig, tmp_path: Path) -> None:
    bank, model, exported = _exported(odd_photos, tmp_path)
    data = load_dataset(odd_photos)
    samples = bank.samples(np.arange(len(bank)))
    predictions = exported.predict([Path(odd_photos.root) / path for path in data.paths])
    with torch.no_grad():
        logits = model.logits(samples.patches.float(), None).numpy()
    seen = [np.asarray(data.pictures.image(i)) for i in range(len(data))]
    assert seen[0].shape == (60, 40, 3)  # stored as 40 rows of 60
    for prediction, image, expected in zip(predictions, seen, logits, strict=True):
        assert np.allclose(prediction.explanation.logits, expected, atol=1e-4)
        assert np.array_equal(prediction.decision().comparison.left.image, image)
    for view in ModelPictures(model, bank, data).classes():
        assert any(np.array_equal(view.image, image) for image in seen)
