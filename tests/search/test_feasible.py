"""Images that cannot be split as a search needs them are refused before anything is computed, by the classes' names."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from jobs import search
from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import UsageError
from tuner.recipe import load_recipe
from tuner.search.driver.split_check import refuse_unusable
from tuner.search.outcome.report import _note


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Seven species of two images each, and one of six."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for species in range(8):
        (tmp_path / "root" / f"species {species}").mkdir(parents=True)
        for i in range(6 if species == 7 else 2):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "root" / f"species {species}" / f"{i}.png")
    return tmp_path / "root"


def _recipe(folder, *overrides):
    return load_recipe("folder", [f"data.root={folder}", "backbone.name=patch_dictionary", *overrides])


def _load(folder) -> Dataset:
    return load_dataset(DataConfig("folder", root=str(folder)))


def test_two_images_per_class_are_too_few_for_test_and_validation(folder):
    with pytest.raises(UsageError) as caught:
        refuse_unusable(_recipe(folder), _load(folder))
    assert caught.value.what == (
        "7 classes have fewer than 2 different training images: "
        "species 0, species 1, species 2, species 3, species 4 and 2 more"
    )
    refuse_unusable(_recipe(folder, "protocol=paper"), _load(folder))


def test_copies_are_no_images(folder):
    for species in range(7):
        for i in (0, 1):
            copied = (folder / f"species {species}" / f"{i}.png").read_bytes()
            (folder / f"species {species}" / f"{i} copy.png").write_bytes(copied)
    with pytest.raises(UsageError, match="7 classes have fewer than 2 different"):
        refuse_unusable(_recipe(folder), _load(folder))


def test_something_has_to_be_held_out_as_test(folder):
    data = _load(folder)
    for protocol in ("paper", "validation"):
        with pytest.raises(UsageError, match="no test image in folder"):
            refuse_unusable(
                _recipe(folder, f"protocol={protocol}"), replace(data, is_train=np.ones(len(data), dtype=np.bool_))
            )


def test_the_command_refuses_at_once(folder, tmp_path, capsys):
    overrides = [f"data.root={folder}", "backbone.name=patch_dictionary", "backbone.image_size=24"]
    assert search.main(["--recipe", "folder", "--store", str(tmp_path / "s"), "--name", "x", *overrides]) == 2
    printed = capsys.readouterr()
    assert "species 0, species 1" in printed.err
    assert "to do:" in printed.err
    assert "feature bank" not in printed.out + printed.err
    assert not (tmp_path / "s" / "banks").exists()
    assert not (tmp_path / "s" / "searches" / "x" / "recipe.yaml").exists()


@pytest.mark.parametrize(
    "overrides",
    [["assign.forced_pairs=46"], ["space={assign.forced_pairs: {choices: [46, 60]}}"]],
    ids=["fixed", "searched"],
)
def test_more_forced_pairs_than_there_are_is_refused_before_anything_is_trained(overrides):
    digits = load_dataset(DataConfig("digits"))
    refuse_unusable(load_recipe("digits", ["assign.forced_pairs=45"]), digits)
    with pytest.raises(UsageError, match=r"assign\.forced_pairs=46") as told:
        refuse_unusable(load_recipe("digits", overrides), digits)
    assert told.value.expected == "at most 45, the pairs of 10 classes"


def test_the_report_says_that_pairs_are_forced():
    assert _note(load_recipe("digits", ["assign.forced_pairs=3"])).endswith(
        " The 3 most similar pairs of classes share all features but one."
    )
    assert "similar" not in _note(load_recipe("digits"))
