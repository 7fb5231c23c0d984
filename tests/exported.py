"""A small model of the digits, trained and exported in seconds without Ray, for tests of prediction and explanation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.features.bank import FeatureBank
from tuner.features.extract import extract_bank
from tuner.features.settings import BackboneConfig
from tuner.model import export_model
from tuner.qpm import (
    AdapterConfig,
    AssignConfig,
    DenseConfig,
    FinetuneConfig,
    QpmModel,
    assign,
    dense_features,
    finetune,
    train_dense,
)


@dataclass(frozen=True)
class Exported:
    """A model folder and what it was made of."""

    folder: Path
    model: QpmModel
    bank: FeatureBank
    dataset: Dataset


def export_digits(root: Path) -> Exported:
    """Train on the digits and export."""
    data, backbone = DataConfig("digits"), BackboneConfig("patch_dictionary", n_atoms=32)
    bank = extract_bank(data, backbone, root / "bank")
    train = bank.samples(bank.is_train)
    dense = train_dense(train, AdapterConfig(width=24, hidden=24, n_layers=2), DenseConfig(epochs=2, lr=3e-3), seed=0)
    table = assign(
        dense_features(dense, train), AssignConfig(n_features=9, features_per_class=3, deadline_s=10), seed=0
    )
    model = finetune(dense, table, train, FinetuneConfig(epochs=2), seed=0)
    export_model(root / "model", model, bank, backbone, "digits", {})
    return Exported(root / "model", model, bank, load_dataset(data))


def written(folder: Path, images: list[np.ndarray]) -> list[Path]:
    """The images as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:04d}.png" for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image.astype(np.uint8)).save(path)
    return paths
