"""A cache of its own for every test, and a small folder of real images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from tuner.data.settings import DataConfig


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def crop() -> Callable[[int], Image.Image]:
    """Crops of scikit-learn's two photographs, 60 x 40 pixels, one class a photograph."""
    photos = load_sample_images().images

    def cut(i: int) -> Image.Image:
        y, x = 37 * i % 380, 53 * i % 570
        return Image.fromarray(np.ascontiguousarray(photos[i % 2][y : y + 40, x : x + 60]))

    return cut


@pytest.fixture
def photos(tmp_path: Path, crop: Callable[[int], Image.Image]) -> DataConfig:
    """24 crops in two classes, half of them with a mask."""
    for i in range(24):
        name = f"{('china', 'flower')[i % 2]}/{i:02d}"
        for top in ("images", "masks"):
            (tmp_path / top / name).parent.mkdir(parents=True, exist_ok=True)
        crop(i).save(tmp_path / "images" / f"{name}.png")
        if i < 12:
            crop(i).convert("L").save(tmp_path / "masks" / f"{name}.png")
    return DataConfig(name="folder", root=str(tmp_path / "images"), masks=str(tmp_path / "masks"))
