"""Squash and crop: the part of an image, of its mask and of its picture that the backbone sees is the same one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.data.settings import DataConfig
from tuner.features.extract import BankSource
from tuner.features.geometry import image_for, mask_on_grid, part_shown, region
from tuner.features.settings import BackboneConfig


def textured(width: int, height: int) -> Image.Image:
    """Smooth waves, so that where a pixel is taken from shows in its value."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    waves = [127 + 120 * np.sin(x / 37), 127 + 120 * np.cos(y / 29), 127 + 120 * np.sin((x + y) / 53)]
    return Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(400, 300), (300, 500), (256, 256), (333, 251)])
def test_crop_is_the_usual_resize_and_centre_crop(width: int, height: int) -> None:
    """Against the two steps: short side 256, then 224 from the middle; they differ by the rounding of the long side."""
    image = textured(width, height)
    short, scale = min(width, height), 256 / min(width, height)
    sides = tuple(256 if side == short else int(side * scale) for side in (width, height))
    left, top = ((side - 224) // 2 for side in sides)
    expected = image.resize(sides, Image.Resampling.BICUBIC).crop((left, top, left + 224, top + 224))
    found = image_for(image, 224, "crop")
    assert found.size == (224, 224)
    assert np.abs(np.asarray(found).astype(int) - np.asarray(expected)).max() <= 5


def test_squash_takes_all_of_the_image_as_before() -> None:
    image = textured(40, 30)
    assert region(40, 30, "squash") == (0, 0, 40, 30)
    assert np.array_equal(image_for(image, 16, "squash"), image.resize((16, 16), Image.Resampling.BILINEAR))
    assert np.array_equal(part_shown(image, "squash"), np.asarray(image))


def test_masks_of_a_crop_are_those_of_the_cut_mask() -> None:
    mask = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)
    left, top, right, bottom = region(96, 64, "crop")
    assert (left, top, right, bottom) == (20, 4, 76, 60)  # whole pixels: a plain cut is exact
    cut = mask[4:60, 20:76]
    found, expected = mask_on_grid(mask, (7, 9), "crop"), mask_on_grid(cut, (7, 9))
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert not np.array_equal(found, mask_on_grid(mask, (7, 9)))


def test_pictures_show_the_part_that_the_backbone_sees() -> None:
    shown = part_shown(textured(400, 300), "crop")
    assert shown.shape == (262, 262, 3)
    assert part_shown(Image.new("RGB", (1, 9)), "crop").shape == (1, 1, 3)


def test_a_bank_of_crops_has_other_tokens_and_masks(tmp_path: Path) -> None:
    for i in range(8):
        name = f"{'ab'[i % 2]}/{i}.png"
        pixels = np.random.default_rng(i).integers(0, 256, (24, 48, 3), dtype=np.uint8)
        mask = np.zeros((24, 48), np.uint8)
        mask[:, :8] = 255  # at the left edge, which the crop cuts off
        mask[7:17, 19:29] = 255
        for root, picture in (("images", pixels), ("masks", mask)):
            file = tmp_path / root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(file)
    data = DataConfig(name="folder", root=str(tmp_path / "images"), masks=str(tmp_path / "masks"))
    squash = BackboneConfig(grid=4, n_atoms=8, patch_size=4)
    whole, middle = (
        BankSource(data, config).extract(tmp_path / config.geometry, device="cpu")
        for config in (squash, dataclasses.replace(squash, geometry="crop"))
    )
    assert whole.key != middle.key
    assert not np.array_equal(whole.patches, middle.patches)
    assert (whole.masks[:, :, 0] > 0).all()
    assert (middle.masks[:, :, 0] == 0).all()
    assert (middle.masks > 0).any(axis=(1, 2)).all()
