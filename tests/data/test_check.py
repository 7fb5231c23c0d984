"""Every broken file is named before anything is computed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.looked import check_images
from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_image: Write) -> Path:
    for i in range(40):
        name = f"{'ab'[i % 2]}/{i:02d}"
        write_image(tmp_path / "images" / f"{name}.jpg", i)
        write_image(tmp_path / "masks" / f"{name}.png", i, mask=True)
    return tmp_path


def _load(folder: Path) -> Dataset:
    return load_dataset(DataConfig(name="folder", root=str(folder / "images"), masks=str(folder / "masks")))


def test_good_images_pass(folder: Path) -> None:
    notes = check_images(_load(folder))
    assert len(notes) == 1
    assert notes[0].startswith("40 of 40 images have a mask, mean share ")
    assert check_images(load_dataset(DataConfig())) == []


def _images(folder: Path, *images: Image.Image, suffix: str = "png", **options: Any) -> Dataset:
    for i, image in enumerate(images):
        file = folder / "plain" / "ab"[i % 2] / f"{i}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file, **options)
    return load_dataset(DataConfig(name="folder", root=str(folder / "plain")))


def test_dark_deep_images_are_said(tmp_path: Path) -> None:
    """A camera's 12 bits in 16: seen, but as dark; one bright image shows that the range is used."""
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    dark = _images(tmp_path, *[Image.fromarray(ramp)] * 4)
    assert "4 images of more than 8 bits have no value above 4,095 of 65,535" in check_images(dark)[0]
    assert check_images(_images(tmp_path, Image.fromarray(ramp * 16), *[Image.fromarray(ramp)] * 3)) == []


def test_first_frames_are_counted(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = _images(tmp_path, *frames * 2, suffix="gif", save_all=True, append_images=[Image.new("RGB", (8, 8), "lime")])
    assert check_images(data) == ["4 of 4 images have several frames or pages: the first is read"]


def test_the_advice_fits_the_faults(tmp_path: Path) -> None:
    floats = [Image.fromarray(np.array([[0.0, top]], dtype=np.float32)) for top in (1.0, 2.0, 3.0, 1.0)]
    data = _images(tmp_path, *floats, suffix="tif")
    with pytest.raises(TunerError, match="2 of 4 images") as caught:
        check_images(data)
    assert "divide by the value that is white" in caught.value.todo
    assert "restore" not in caught.value.todo


def test_all_faults_are_named(folder: Path) -> None:
    data = _load(folder)
    whole = (folder / "images/a/00.jpg").read_bytes()
    (folder / "images/a/00.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "images/b/01.jpg").unlink()
    (folder / "images/a/02.jpg").write_bytes(b"no image at all")
    Image.new("L", (7, 9)).save(folder / "masks/b/03.png")
    (folder / "masks/a/04.png").write_bytes((folder / "masks/a/04.png").read_bytes()[:60])
    with pytest.raises(TunerError) as caught:
        check_images(data)
    said = caught.value.what
    assert said.startswith("5 of 40 images")
    for name in ("00.jpg: ", "01.jpg: ", "02.jpg: ", "03.png: mask of 7x9 for an image of 24x20", "04.png: "):
        assert name in said
    assert "05." not in said


def test_a_long_list_is_counted(folder: Path) -> None:
    data = _load(folder)
    for file in (folder / "images/a").iterdir():
        file.write_bytes(b"")
    for file in (folder / "images/b").iterdir():
        file.unlink()
    with pytest.raises(TunerError, match="40 of 40") as caught:
        check_images(data)
    assert caught.value.what.endswith("and 20 more")
