"""Small real photographs-by-proxy: scikit-learn's digits written as image files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def digit() -> Callable[[int], Image.Image]:
    images = (load_digits().images * 15).astype(np.uint8)
    return lambda i: Image.fromarray(images[i]).resize((24, 20)).convert("RGB")


@pytest.fixture
def write_image(digit: Callable[[int], Image.Image]) -> Callable[..., Path]:
    """Writes digit `i` to a path, or its ink as a mask."""

    def write(path: Path, i: int, mask: bool = False) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = digit(i)
        (image.convert("L").point(lambda v: 255 * (v > 100)) if mask else image).save(path)
        return path

    return write
