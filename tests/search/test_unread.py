"""What only one kind of backbone or system reads is refused, or named, where a search would pass it over in silence."""

import contextlib
import dataclasses

import pytest

from jobs import compare
from tuner.base.progress import Silent
from tuner.errors import UsageError
from tuner.estimator import QPMClassifier
from tuner.features.kinds import BACKBONES
from tuner.features.registry import require_frozen
from tuner.features.settings import BackboneConfig, BackboneSettings
from tuner.qpm.resnet.settings import ResnetFinetuneConfig, ResnetSource
from tuner.recipe import load_recipe
from tuner.recipe.load import presets
from tuner.search.driver.run import SearchRequest, _settle_recipe
from tuner.search.driver.unread import unread, unread_line
from tuner.search.record.home import SearchHome
from tuner.store import open_store


def test_pixels_are_no_features_for_a_comparison(tmp_path, capsys):
    store = tmp_path / "runs"
    assert compare.main(["--recipe", "digits", "--store", str(store), "backbone.name=pixels"]) == 2
    told = capsys.readouterr().err
    assert "backbone.name=pixels, whose tokens are pixels for networks" in told
    assert "patch_dictionary, efficientnet_lite2, dinov2" in told
    assert "to do:" in told
    assert not store.exists()


def test_nor_for_a_search_whose_settings_without_effect_are_named(tmp_path):
    home, told, held = SearchHome(open_store(tmp_path), "pixels"), [], contextlib.ExitStack()
    progress = Silent()
    progress.say = told.append
    with pytest.raises(UsageError, match="name=pixels, whose tokens are pixels"):
        _settle_recipe(
            home, SearchRequest(home.store, "pixels", load_recipe("digits", ["backbone.name=pixels"])), progress, held
        )
    assert not home.exists()
    other = load_recipe("digits", ["resnet.depth=18", "data.root=none"])
    with pytest.raises(UsageError, match=r"data\.root"):
        _settle_recipe(home, SearchRequest(home.store, "pixels", other), progress, held)
    assert told == [unread_line(other)]


def test_an_estimator_does_not_take_them_either(tmp_path):
    with pytest.raises(UsageError, match="backbone=pixels, whose tokens are pixels"):
        QPMClassifier(backbone="pixels").fit(["a.png", "b.png"], [0, 1])


def test_every_other_backbone_is_frozen():
    for name in set(BACKBONES) - {"pixels"}:
        require_frozen(BACKBONES[name].settings(name=name))


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ([], ""),
        (["finetune.lr=0.002", "data.split_seed=3", "backbone.n_atoms=16"], ""),
        (["backbone.layer=-2"], "backbone.name=patch_dictionary does not read backbone.layer=-2"),
        (["backbone.depth=18"], "backbone.name=patch_dictionary does not read backbone.depth=18"),
        (["backbone.name=dinov2", "backbone.n_atoms=16"], "backbone.name=dinov2 does not read backbone.n_atoms=16"),
        (["resnet.lr=0.1", "resnet_qpm.epochs=2"], "resnet.lr=0.1, resnet_qpm.epochs=2 shapes ResNets, which only"),
    ],
)
def test_settings_that_no_trial_reads_are_named(overrides, line):
    told = unread_line(load_recipe("digits", overrides))
    assert line in told
    assert (told == "") == (line == "")


def test_every_field_of_resnets_and_of_other_backbones_is_one_of_them():
    """Whatever field is added there is named, too."""
    recipe = load_recipe("digits")
    for group, kind in (("resnet", ResnetSource), ("resnet_qpm", ResnetFinetuneConfig), ("backbone", BackboneConfig)):
        own = BACKBONES["patch_dictionary"].reads if group == "backbone" else BackboneSettings
        for info in dataclasses.fields(kind):
            if group == "backbone" and info.name in {own_info.name for own_info in dataclasses.fields(own)}:
                continue
            changed = dataclasses.replace(getattr(recipe, group), **{info.name: "another"})
            assert unread(dataclasses.replace(recipe, **{group: changed})) == [f"{group}.{info.name}=another"]


def test_no_recipe_that_comes_with_the_package_sets_any():
    assert [
        name for name in presets() if unread(load_recipe(name, ["data.root=images"] if name == "folder" else []))
    ] == []
