"""The bank of pixels, for networks that are trained end to end: exact pixels, and the network's initial weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.features.bank_files import FITTED
from tuner.features.extract import bank_key, extract_bank
from tuner.features.registry import make_backbone
from tuner.features.resnet_weights import initial_weights
from tuner.features.settings import BackboneConfig

SMALL = BackboneConfig(name="pixels", depth=18, image_size=32, weights="none", batch_size=7)


@pytest.mark.slow
def test_the_bank_holds_every_pixel_and_the_initial_weights(photos: DataConfig, tmp_path: Path) -> None:
    bank = extract_bank(photos, SMALL, tmp_path / "bank")
    assert bank.patches.shape == (24, 32 * 32, 3)
    first = np.asarray(load_dataset(photos).pictures.image(0).resize((32, 32), resample=2))
    assert np.array_equal(bank.patches[0].astype(np.uint8).reshape(32, 32, 3), first)
    state, expected = load_file(tmp_path / "bank" / FITTED), initial_weights("none", 18)
    assert state.keys() == expected.keys()
    assert all(np.array_equal(value, expected[name]) for name, value in state.items())

    file = tmp_path / "resnet18.safetensors"
    save_file(expected | {"conv1.bias": expected["embedder.embedder.normalization.bias"].clone()}, file)
    with pytest.raises(UsageError, match=r"does not hold a ResNet of 18 layers: 1 tensor differs, such as embedder"):
        extract_bank(photos, replace(SMALL, weights=str(file)), tmp_path / "other")


def test_the_key_knows_depth_and_weights(photos: DataConfig, tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"some")
    kinds = [SMALL, replace(SMALL, depth=50), replace(SMALL, weights=str(file)), replace(SMALL, image_size=40)]
    assert len({bank_key(photos, kind) for kind in kinds}) == 4


def test_without_weights_the_message_says_what_to_do(photos: DataConfig, tmp_path: Path) -> None:
    with pytest.raises(TunerError, match=r"resnet.weights=microsoft/resnet-18 is neither a local path"):
        bank_key(photos, replace(SMALL, weights=""))
    with pytest.raises(TunerError, match=r"holds no model.safetensors"):
        bank_key(photos, replace(SMALL, weights=str(tmp_path)))
    with pytest.raises(UsageError, match=r"backbone.image_size=8"):
        make_backbone(replace(SMALL, image_size=8), "folder")
