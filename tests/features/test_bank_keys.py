"""The keys of the built-in recipes' feature banks never change by themselves: every stored result hangs on them."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tuner.data.settings import DataConfig
from tuner.features.extract import bank_key
from tuner.recipe import Recipe, load_recipe

SHAPE = {"hidden_size": 4, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 28, "patch_size": 14}


@pytest.fixture
def squares(tmp_path: Path) -> DataConfig:
    """Eight plain images of two classes, in lossless files that every library writes alike."""
    for i in range(8):
        file = tmp_path / "squares" / "ab"[i % 2] / f"{i}.ppm"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((30, 40, 3), 20 * i, np.uint8)).save(file)
    return DataConfig(name="folder", root=str(tmp_path / "squares"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A hub folder that the key alone looks at."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "dinov2", "mlp_ratio": 4, **SHAPE}))
    save_file({"layer": np.arange(6, dtype=np.float32)}, folder / "model.safetensors")
    return folder


def key(recipe: Recipe, data: DataConfig, weights: Path) -> str:
    """The key of a recipe on other images and weights."""
    return bank_key(data, replace(recipe.backbone, weights=str(weights)))


def test_digits() -> None:
    recipe = load_recipe("digits")
    assert bank_key(recipe.data, recipe.backbone) == "2200dd727a95ad276e12bab926e938c5"
    assert (
        bank_key(replace(recipe.data, split_seed=1, test_fraction=0.5), recipe.backbone)
        == "f5cf184a52381b4cd79c37ec304b0acb"
    )
    assert (
        bank_key(recipe.data, replace(recipe.backbone, grid=4, n_atoms=16, seed=3, batch_size=7))
        == "d09d22eaee62e67d50b067a68b132830"
    )


@pytest.mark.slow
def test_cub50(shared_data: Path) -> None:
    recipe = load_recipe("cub50", [f"data.root={shared_data / 'cub50'}"])
    assert bank_key(recipe.data, recipe.backbone) == "827f9f706cd935c8b5b6f84544f402c4"


def test_folder(squares: DataConfig, weights: Path) -> None:
    assert key(load_recipe("folder"), squares, weights / "model.safetensors") == "c71885bd4cd484b8697dd2c37304f336"


@pytest.mark.parametrize("name", ["cub", "cars"])
def test_dinov2_on_other_images(name: str, squares: DataConfig, weights: Path) -> None:
    assert key(load_recipe(name), squares, weights) == "eb3bb0fe545701c9e2dd7cc4b2d35721"


def test_the_first_geometry_is_not_named_in_a_key_and_the_other_one_is(squares: DataConfig, weights: Path) -> None:
    squash, crop = (load_recipe("cub", [f"backbone.geometry={name}"]) for name in ("squash", "crop"))
    assert key(squash, squares, weights) == key(load_recipe("cub"), squares, weights)
    assert key(crop, squares, weights) != key(squash, squares, weights)


def test_every_option_of_dinov2(squares: DataConfig, weights: Path) -> None:
    options = ["image_size=28", "preprocessing=standard", "layer=-2", "norm=false", "position_antialias=true"]
    recipe = load_recipe("cub", [*(f"backbone.{option}" for option in options), "backbone.position_offset=0"])
    assert key(recipe, squares, weights) == "20d36b80854b98c90030e6f70ac9cfb8"


@pytest.mark.parametrize(
    ("data_name", "expected"),
    [
        ("cub", "6699a410d7a5a5b5a74dce5d0967b0f1"),
        ("cub50", "6699a410d7a5a5b5a74dce5d0967b0f1"),
        ("cars", "7033973ad9487ea430c647d0878c6364"),
        ("folder", "ed4de6755bf94e110949928863470442"),
    ],
)
def test_published_statistics_of_pixels(data_name: str, expected: str, weights: Path) -> None:
    from tuner.features.registry import make_backbone

    recipe = load_recipe("cub")
    material = make_backbone(replace(recipe.backbone, weights=str(weights)), data_name).key_material()
    assert hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()[:32] == expected
