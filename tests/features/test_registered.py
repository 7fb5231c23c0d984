"""A backbone and a data set of somebody else: named in a recipe, checked by their own settings, extracted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from jobs import extract
from tests.base.plugins import installed
from tuner.base.registry import kind_of
from tuner.base.settings import setting
from tuner.data import register_dataset
from tuner.data.dataset import Dataset
from tuner.data.kinds import DATASETS
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import UsageError
from tuner.features import register_backbone
from tuner.features.backbone import Pretrained, Tokens
from tuner.features.bank import load_bank
from tuner.features.extract import bank_key, extract_bank
from tuner.features.kinds import BACKBONES
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig, BackboneSettings
from tuner.recipe import Recipe, fields, load_recipe, parse_recipe
from tuner.search.record.bank_folder import fetch_bank
from tuner.store import Artifacts, open_store


@dataclass
class ColourSettings(BackboneSettings):
    side: int = setting(4, "tokens per side", low=1, high=16)
    gamma: float = setting(1.0, "exponent of all values", low=0.1)


class Colours(Pretrained):
    """Mean colours on a grid."""

    dim, has_cls = 3, False

    def __init__(self, config: ColourSettings) -> None:
        self.config, self.image_size = config, config.image_size or 16
        self.grid = (config.side, config.side)

    def key_material(self) -> dict[str, Any]:
        return {"name": "colours", "code": 1, "side": self.config.side, "gamma": self.config.gamma}

    def load(self, device: torch.device) -> None:
        pass

    def tokens(self, images: torch.Tensor) -> Tokens:
        means = F.adaptive_avg_pool2d(images.float() / 255, self.grid) ** self.config.gamma
        return means.flatten(2).transpose(1, 2), None


@dataclass
class StripeSettings(DataConfig):
    n_images: int = setting(12, "images in all", low=4)


class Stripes:
    """Plain images, brighter from one to the next."""

    def __init__(self, n: int) -> None:
        self.n = n

    def image(self, i: int) -> Image.Image:
        return Image.fromarray(np.full((8, 8, 3), 255 * i // self.n, np.uint8))

    def mask(self, i: int) -> Image.Image | None:
        return None

    def digests(self) -> list[list[str]]:
        return [[sha256(self.image(i).tobytes()).hexdigest(), ""] for i in range(self.n)]


def stripes(config: StripeSettings) -> Dataset:
    n = config.n_images
    index = np.arange(n)
    nothing = np.zeros(n, np.bool_)
    paths = tuple(f"{i:04d}" for i in index)
    return Dataset("stripes", paths, index % 2, index < n // 2, ("even", "odd"), nothing, Stripes(n))


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register_backbone("colours", lambda config, **_: Colours(config), ColourSettings)
    register_dataset("stripes", stripes, StripeSettings, needs_root=False)
    yield
    for table in (BACKBONES, DATASETS):
        for name in table.added():  # type: ignore[attr-defined]
            table.remove(name)  # type: ignore[attr-defined]


def toy_recipe(*overrides: str) -> Recipe:
    return load_recipe("digits", ["data.name=stripes", "backbone.name=colours", *overrides])


def test_a_bank_of_them(tmp_path: Path) -> None:
    recipe = toy_recipe("data.n_images=10", "backbone.side=2", "backbone.gamma=0.5")
    bank = extract_bank(recipe.data, recipe.backbone, tmp_path / "bank", device="cpu")
    assert bank.patches.shape == (10, 4, 3)
    assert np.allclose(bank.patches[5], (127 / 255) ** 0.5, atol=1e-3)
    assert bank.key == bank_key(recipe.data, recipe.backbone)
    other = toy_recipe("data.n_images=10", "backbone.side=2")
    assert bank_key(other.data, other.backbone) != bank.key


def test_the_command_extracts_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("data: {name: stripes, n_images: 8}\nbackbone: {name: colours, side: 2}\n")
    store = str(tmp_path / "store")
    assert extract.main(["--store", store, "--recipe", str(file), "backbone.gamma=2"]) == 0
    key = capsys.readouterr().out.split()[-1]
    bank = load_bank(fetch_bank(Artifacts(open_store(store)), key))
    assert bank.patches.shape == (8, 4, 3)
    assert bank.backbone["gamma"] == 2


def test_a_recipe_keeps_their_settings() -> None:
    recipe = toy_recipe("backbone.side=3", "data.n_images=6")
    assert isinstance(recipe.backbone, ColourSettings)
    assert isinstance(recipe.data, StripeSettings)
    assert parse_recipe(recipe.to_yaml()) == recipe
    assert type(parse_recipe(recipe.to_yaml())) is Recipe
    trial = recipe.at({"n_features": 5})
    assert (trial.backbone, trial.data.n_images) == (recipe.backbone, 6)  # type: ignore[attr-defined]
    own = {field.name: field for field in fields(recipe)}
    assert own["backbone.side"].allowed == "1 to 16"
    assert own["backbone.name"].choices[-1] == "colours"
    assert "backbone.n_atoms" not in own
    assert "backbone.side" not in {field.name for field in fields()}


@pytest.mark.parametrize(
    ("override", "what", "hint"),
    [
        ("backbone.sides=3", "unknown setting backbone.sides", "did you mean 'backbone.side'"),
        ("backbone.n_atoms=3", "unknown setting backbone.n_atoms", "backbone.name=patch_dictionary: set"),
        ("backbone.side=0", "backbone.side=0", "tokens per side: raise it"),
        ("backbone.side=many", "backbone.side='many'", "whole number"),
        ("backbone={name: colours, sides: 3}", "unknown setting backbone.sides", "backbone.side"),
        ("data.n_image=9", "unknown setting data.n_image", "did you mean 'data.n_images'"),
        ("backbone.name=colour", "backbone.name='colour'", "colours"),
        ("backbone={name: colour}", "backbone.name='colour'", "install the package"),
    ],
)
def test_a_wrong_setting_of_theirs_is_refused_in_three_parts(override: str, what: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint) as error:
        toy_recipe(override)
    assert error.value.what == what
    assert all(error.value.args)


def test_a_preset_with_another_backbone_leaves_the_settings_of_its_own() -> None:
    text = "backbone: {name: patch_dictionary, n_atoms: 16, seed: 3, batch_size: 8}"
    recipe = parse_recipe(text, ["backbone={name: colours, side: 2}"])
    assert recipe.backbone == ColourSettings(name="colours", side=2, batch_size=8)
    back = parse_recipe(recipe.to_yaml(), ["backbone.name=dinov2"])
    assert back.backbone == BackboneConfig(name="dinov2", batch_size=8)
    with pytest.raises(UsageError, match=r"unknown setting backbone\.n_atom"):
        parse_recipe("backbone: {name: patch_dictionary, n_atom: 16}", ["backbone.name=colours"])


def test_settings_of_another_class_are_refused() -> None:
    with pytest.raises(UsageError, match="settings of the class ColourSettings"):
        make_backbone(BackboneConfig(name="colours"), "stripes")
    with pytest.raises(UsageError, match="settings of the class StripeSettings"):
        load_dataset(DataConfig(name="stripes"))
    parity = ColourSettings(name="colours", preprocessing="parity")
    with pytest.raises(UsageError, match="published treatment of dinov2"):
        make_backbone(parity, "stripes")
    register_backbone("colours", lambda config, **_: Colours(config), ColourSettings, preprocessing=("parity",))
    assert make_backbone(parity, "stripes").dim == 3
    register_dataset("needy", stripes, StripeSettings)
    with pytest.raises(UsageError, match=r"data\.name=needy without data\.root"):
        load_dataset(StripeSettings(name="needy"))


def test_what_learns_nothing_takes_the_protocol_as_it_is() -> None:
    backbone = make_backbone(ColourSettings(name="colours"), "stripes")
    images: Iterable[torch.Tensor] = ()
    backbone.fit(images)
    assert (backbone.state(), backbone.needs_fit()) == ({}, False)


@dataclass
class Listed(BackboneSettings):
    sizes: list = setting([1], "sizes")  # type: ignore[type-arg]


@dataclass
class Silent(BackboneSettings):
    size: int = 3


@dataclass
class Alien:
    name: str = setting("x", "name")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (Alien, "are not a dataclass derived from BackboneSettings"),
        (3, "are not a dataclass derived from BackboneSettings"),
        (Listed, "the setting sizes of Listed"),
        (Silent, "the setting size of Silent has no help"),
    ],
    ids=["alien", "number", "listed", "silent"],
)
def test_settings_that_no_recipe_could_hold_are_refused(settings: Any, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        register_backbone("odd", lambda config, **_: config, settings)
    assert "odd" not in BACKBONES


PACKAGE = """
from __future__ import annotations
from dataclasses import dataclass
from tuner.base.settings import setting
from tuner.features import register_backbone
from tuner.features.settings import BackboneSettings

@dataclass
class Settings(BackboneSettings):
    depth: int = setting(3, "layers", low=1)

KIND = register_backbone("deep", lambda config, **_: None, Settings)
"""


@pytest.mark.slow
def test_an_installed_package_brings_a_backbone(tmp_path: Path) -> None:
    code = (
        "from tuner.recipe import load_recipe\n"
        "print(load_recipe('digits', ['backbone.name=deep', 'backbone.depth=5']).backbone.depth)\n"
        "print('torch' in sys.modules)\n"
        "load_recipe('digits', ['backbone.name=deep', 'backbone.depth=0'])"
    )
    ran = installed(tmp_path, PACKAGE, "qpm_tuner.backbones", "deep = a_package:KIND", code)
    assert ran.stdout.split() == ["5", "False"], ran.stderr
    assert "backbone.depth=0" in ran.stderr


def test_the_old_place_of_make_backbone_still_works() -> None:
    from tuner.features import backbone

    with pytest.warns(FutureWarning, match=r"is now tuner\.features\.registry\.make_backbone"):
        assert backbone.make_backbone is make_backbone
    with pytest.raises(AttributeError):
        _ = backbone.nonsense


def test_replaced_settings_stay_of_their_class() -> None:
    assert replace(ColourSettings(name="colours"), side=2).side == 2


def test_settings_of_another_class_are_refused_by_backbones_and_data_sets_alike() -> None:
    backbone, data = BackboneSettings("patch_dictionary"), SimpleNamespace(name="digits")
    for config, kinds, section, own in (
        (backbone, BACKBONES, "backbone", "BackboneConfig"),
        (data, DATASETS, "data", "DataConfig"),
    ):
        with pytest.raises(UsageError, match=rf"{section}\.name={config.name} with settings of the class") as caught:
            kind_of(config, kinds, section)
        assert caught.value.todo == f"use {own}(name={config.name!r}, ...)"
        config.name = "none"
        with pytest.raises(UsageError, match=rf"{section}\.name=none"):
            kind_of(config, kinds, section)
