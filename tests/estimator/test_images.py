"""Image paths: the tokens are those of a feature bank, and so is the model that is trained on them."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score

from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.estimator import QPMClassifier
from tuner.estimator.images import ImageReader
from tuner.features.bank import FeatureBank
from tuner.features.extract import extract_bank
from tuner.features.packing import as_stored
from tuner.features.settings import BackboneConfig
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

BACKBONE = BackboneConfig(n_atoms=12, grid=4, patch_size=4)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 digits as PNG files in folders one, two and three."""
    root = tmp_path_factory.mktemp("photos")
    pixels, labels = load_digits(return_X_y=True)
    for label, name in ((1, "one"), (2, "two"), (3, "three")):
        (root / name).mkdir()
        for i, image in enumerate(pixels[labels == label][:8]):
            Image.fromarray((image.reshape(8, 8) * 15).astype(np.uint8)).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def bank(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureBank:
    data = DataConfig(name="folder", root=str(photos))
    return extract_bank(data, BACKBONE, tmp_path_factory.mktemp("bank"), device="cpu")


@pytest.fixture(scope="module")
def files(photos: Path, bank: FeatureBank) -> np.ndarray:
    """Paths in the bank's order."""
    return np.array([str(photos / path) for path in bank.paths])


@pytest.fixture(scope="module")
def trained(files: np.ndarray, bank: FeatureBank, fast: dict[str, Any]) -> QPMClassifier:
    names = np.array(bank.class_names)[bank.labels]
    return QPMClassifier(**fast, backbone=BACKBONE).fit(files[bank.is_train], names[bank.is_train])


def test_the_tokens_are_those_of_the_bank(files: np.ndarray, bank: FeatureBank, trained: QPMClassifier) -> None:
    patches, cls = trained.reader_.tokens([Path(file) for file in files])
    assert cls is None
    assert np.array_equal(patches, bank.patches)
    assert trained.grid_ == bank.grid == (4, 4)


def test_paths_give_the_weights_that_the_bank_gives(bank: FeatureBank, trained: QPMClassifier) -> None:
    samples = bank.samples(bank.is_train)
    dense = train_dense(
        samples, AdapterConfig(width=20, hidden=24, n_layers=2), DenseConfig(epochs=4, lr=0.01), seed=0, device="cpu"
    )
    table = assign(
        dense_features(dense, samples, device="cpu"),
        AssignConfig(n_features=10, features_per_class=3, effort=5000),
        seed=0,
    )
    model = finetune(dense, table, samples, FinetuneConfig(epochs=4, l1=0.5), seed=0, device="cpu")
    mine = trained.model_.state_dict()
    assert trained.classes_.tolist() == sorted(bank.class_names)
    assert sorted(bank.class_names) == list(bank.class_names)
    assert all(np.array_equal(mine[name], values) for name, values in model.state_dict().items())


def test_paths_are_predicted_and_explained(files: np.ndarray, bank: FeatureBank, trained: QPMClassifier) -> None:
    names = np.array(bank.class_names)[bank.labels]
    assert trained.score(files, names) > 0.5
    as_paths = [Path(file) for file in files[:4]]
    assert np.array_equal(trained.predict(as_paths), trained.predict(files[:4]))
    for column in (files[:4, None], pd.Series(files[:4]), pd.DataFrame({"file": files[:4]})):
        assert np.array_equal(trained.predict(column), trained.predict(files[:4]))
    why = trained.explain(as_paths)[0]
    assert why.evidence[why.predicted][0].saliency.shape == (4, 4)


def test_a_pickle_brings_the_backbone_along(files: np.ndarray, trained: QPMClassifier) -> None:
    data = pickle.dumps(trained)
    assert b"torch" not in data
    assert np.array_equal(pickle.loads(data).predict_proba(files), trained.predict_proba(files))


def test_a_saved_estimator_brings_the_backbone_along(files: np.ndarray, trained: QPMClassifier, tmp_path: Path) -> None:
    trained.save(tmp_path / "model")
    again = QPMClassifier.load(tmp_path / "model", device="cpu")
    assert again.backbone == BACKBONE
    assert np.array_equal(again.predict_proba(files), trained.predict_proba(files))
    (tmp_path / "model" / "backbone.safetensors").unlink()
    with pytest.raises(TunerError, match=r"backbone\.safetensors"):
        QPMClassifier.load(tmp_path / "model", device="cpu")


def test_no_weights_are_read_because_a_folder_names_them(trained: QPMClassifier, tmp_path: Path) -> None:
    trained.save(tmp_path / "model")
    file = tmp_path / "model" / "estimator.json"
    about = json.loads(file.read_text())
    about["backbone"]["settings"] |= {"name": "dinov2", "weights": "/etc/passwd"}
    file.write_text(json.dumps(about))
    with pytest.raises(UsageError, match=r"/etc/passwd(.|\n)*QPMClassifier\.load"):
        QPMClassifier.load(tmp_path / "model", device="cpu")


def test_paths_in_cross_validation(files: np.ndarray, bank: FeatureBank, fast: dict[str, Any]) -> None:
    scores = cross_val_score(
        QPMClassifier(**fast, backbone=BACKBONE), files.tolist(), bank.labels, cv=2, error_score="raise"
    )
    assert scores.shape == (2,)


def test_what_cannot_be_read_is_named(
    files: np.ndarray, trained: QPMClassifier, fast: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(TunerError, match=r"absent\.png"):
        trained.predict([tmp_path / "absent.png"])
    with pytest.raises(ValueError, match=r"write \[path\]"):
        trained.predict(str(files[0]))
    with pytest.raises(ValueError, match="a backbone is named"):
        trained.predict(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="a backbone is named"):
        trained.predict([])
    with pytest.raises(UsageError, match="abacus"):
        QPMClassifier(**fast, backbone="abacus").fit(files, np.arange(len(files)) % 2)
    with pytest.raises(ValueError, match="backbone=7"):
        QPMClassifier(**fast, backbone=7).fit(files, np.arange(len(files)) % 2)
    with pytest.raises(ValueError, match="y holds 2 labels"):
        QPMClassifier(**fast, backbone=BACKBONE).fit(files, [0, 1])


def test_a_reader_learns_once(files: np.ndarray) -> None:
    reader = ImageReader(BACKBONE, "cpu")
    assert reader.needs_fit()
    reader.fit([Path(file) for file in files[:10]])
    assert not reader.needs_fit()
    assert reader.learned


def test_a_reader_gives_tokens_as_a_bank_of_its_type_keeps_them(files: np.ndarray) -> None:
    some = [Path(file) for file in files[:6]]
    exact, _ = ImageReader(BACKBONE, "cpu").fit(some).tokens(some)
    found, _ = ImageReader(replace(BACKBONE, dtype="int8"), "cpu").fit(some).tokens(some)
    assert found.dtype == np.float16
    assert not np.array_equal(found, exact)
    assert np.array_equal(found, as_stored(torch.from_numpy(exact), "int8", "the images"))
