"""A bank remembers which images are copies, and its validation split keeps them together."""

from pathlib import Path

import numpy as np
import pytest

from tuner.data.settings import DataConfig
from tuner.errors import UsageError
from tuner.features.bank import load_bank, seal
from tuner.features.extract import extract_bank
from tuner.features.settings import BackboneConfig
from tuner.features.sides import split_masks

SMALL = BackboneConfig(n_atoms=12, patch_size=8, grid=4, image_size=16, batch_size=64)
SPLIT = {"protocol": "validation", "validation_fraction": 0.4}


def test_a_bank_keeps_copies_together(photos: DataConfig, tmp_path: Path) -> None:
    root = Path(photos.root)
    for i in range(0, 24, 2):
        (root / "china" / f"{i:02d} again.png").write_bytes((root / "china" / f"{i:02d}.png").read_bytes())
    bank = extract_bank(photos, SMALL, tmp_path / "bank")
    assert bank.content is not None
    assert [bank.paths[i] for i in bank.content[:4]] == ["china/00 again.png"] * 2 + ["china/02 again.png"] * 2
    assert np.array_equal(bank.patches[0], bank.patches[1])
    assert np.array_equal(bank.is_train, bank.is_train[bank.content])
    for seed in range(5):
        validation = split_masks(bank, SPLIT, seed)["validation"]
        assert np.array_equal(validation, validation[bank.content])
        assert 0 < validation.sum() < bank.is_train.sum()


def test_a_bank_from_before_has_no_copies(photos: DataConfig, tmp_path: Path) -> None:
    bank = extract_bank(photos, SMALL, tmp_path / "bank")
    assert bank.content is not None
    (tmp_path / "bank" / "content.npy").unlink()
    seal(tmp_path / "bank")
    older = load_bank(tmp_path / "bank")
    assert older.content is None
    assert np.array_equal(split_masks(older, SPLIT, 1)["train"], split_masks(bank, SPLIT, 1)["train"])


def test_one_image_under_two_labels_has_no_features(photos: DataConfig, tmp_path: Path) -> None:
    root = Path(photos.root)
    (root / "flower" / "stray.png").write_bytes((root / "china" / "00.png").read_bytes())
    with pytest.raises(UsageError, match=r"china/00\.png and flower/stray\.png are the same image"):
        extract_bank(photos, SMALL, tmp_path / "bank")
    assert not (tmp_path / "bank" / "patches.npy").exists()
