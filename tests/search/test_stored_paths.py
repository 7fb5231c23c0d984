"""A stored recipe's paths are read to be compared only: what lies there on another's machine stays there."""

from pathlib import Path

import pytest
from PIL import Image

from tests.ledgers import finished, home_with
from tuner.base.progress import Silent
from tuner.errors import TunerError
from tuner.search.driver.run import SearchRequest, run_request


def test_images_that_a_stored_recipe_names_are_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes to the store could name a private folder of whoever carries on, and take away the bank."""
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    for label in ("cats", "dogs"):
        (tmp_path / "private" / label).mkdir(parents=True)
        for number in range(8):
            image = Image.new("RGB", (16, 16), (30 * number, 99 if label == "cats" else 9, 7))
            image.save(tmp_path / "private" / label / f"{number}.png")
    overrides = ("data.name=folder", f"data.root={tmp_path}/private", "backbone.n_atoms=8", "backbone.grid=2")
    home = home_with(tmp_path / "runs", finished(), *overrides)
    with pytest.raises(TunerError, match="have changed since search 'made-up' started"):
        run_request(SearchRequest(home.store, home.name), Silent())
    assert not list(home.store.list("banks/"))
