"""Every broken file is named before anything is computed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tuner.data.dataset import Dataset
from tuner.data.load import check_images, load_dataset
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
    check_images(_load(folder))
    check_images(load_dataset(DataConfig()))


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
    assert "05" not in said


def test_a_long_list_is_counted(folder: Path) -> None:
    data = _load(folder)
    for file in (folder / "images/a").iterdir():
        file.write_bytes(b"")
    for file in (folder / "images/b").iterdir():
        file.unlink()
    with pytest.raises(TunerError, match="40 of 40") as caught:
        check_images(data)
    assert caught.value.what.endswith("and 20 more")
