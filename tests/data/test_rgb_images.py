"""An image that is RGB as decoded is given on as it is, not copied: it outlives its file, whatever the format."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.data.modes import to_rgb
from tuner.data.pixels import read_image

SIZE = (16, 12)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "tif", "ppm", "jp2", "avif"])
def test_an_image_is_usable_after_its_file_was_closed(suffix: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    file = tmp_path / f"x.{suffix}"
    Image.fromarray(pixels).save(file)
    with Image.open(file) as opened:
        expected = np.asarray(opened.convert("RGB"))
    image = read_image(file)
    file.unlink()
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), expected)
    np.testing.assert_array_equal(np.asarray(image.copy().crop((0, 0, 8, 8))), expected[:8, :8])
    assert image.resize((8, 8), Image.Resampling.BILINEAR, box=(0, 0, 8, 8)).size == (8, 8)
    image.save(tmp_path / "again.png")
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "again.png")), expected)


def test_nothing_is_copied_in_vain() -> None:
    image = Image.new("RGB", SIZE)
    assert to_rgb(image) is image
    assert to_rgb(Image.new("L", SIZE)).mode == "RGB"
