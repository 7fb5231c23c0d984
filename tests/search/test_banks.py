"""A feature bank is made once, also when two searches on one machine want it at the same time."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tuner.recipe import load_recipe
from tuner.search.banks import ensure_bank
from tuner.store import Artifacts, open_store


@pytest.mark.slow
def test_two_searches_that_extract_the_same_bank_do_not_disturb_each_other(tmp_path, monkeypatch):
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 24, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    small = ["backbone.name=patch_dictionary", "backbone.n_atoms=8", "backbone.image_size=24", "backbone.grid=4"]
    recipe = load_recipe("folder", [f"data.root={tmp_path / 'photos'}", *small])
    stores = [Artifacts(open_store(tmp_path / name)) for name in ("one", "two", "two")]

    def made(artifacts):
        return ensure_bank(artifacts, recipe, Console(file=io.StringIO()))

    with ThreadPoolExecutor(3) as pool:
        keys = list(pool.map(made, stores))
    assert len(set(keys)) == 1
    assert all(artifacts.fetch("banks", keys[0]).is_dir() for artifacts in stores)
    assert not list((tmp_path / "cache" / "extract").glob("*/"))
