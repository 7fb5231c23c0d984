"""Recipes: presets load, overrides merge, and every wrong input is refused with a way out."""

import pytest

from tuner.base.metric import METRICS
from tuner.errors import InfeasibleError, UsageError
from tuner.recipe import (
    describe_fields,
    difference,
    load_recipe,
    objectives_of,
    parse_recipe,
    presets,
)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_valid_and_survives_its_own_yaml(name):
    overrides = ["data.root=somewhere"] if name == "folder" else []
    recipe = load_recipe(name, overrides)
    again = parse_recipe(recipe.to_yaml())
    assert again.to_dict() == recipe.to_dict()
    names = [o.name for o in objectives_of(recipe)]
    assert names[0] == "accuracy"
    if name in ("cars", "folder"):  # they have no masks of their own
        assert not [n for n in names if n in METRICS and METRICS[n].data_needs]


def test_every_field_is_documented():
    undocumented = [key for key, _, help in describe_fields() if not help]
    assert undocumented == []


def test_overrides_replace_values_and_short_names_work():
    recipe = load_recipe("digits", ["dense.epochs=3", "budget.trials=7", "space.width={choices: [64]}"])
    assert (recipe.dense.epochs, recipe.budget.trials, recipe.space["width"]) == (3, 7, {"choices": [64]})
    fixed = parse_recipe("{}", ["n_features=9", "width=40"])
    assert (fixed.assign.n_features, fixed.adapter.width) == (9, 40)


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("dense.epoch=3", "unknown setting dense.epoch"),
        ("colour=red", "unknown setting colour"),
        ("dense.epochs=many", "dense.epochs"),
        ("dense.epochs=0", "dense.epochs=0"),
        ("dense.lr=.nan", "dense.lr=nan"),
        ("dense=3", "dense=3"),
        ("assign.variant=gurobi", "assign.variant='gurobi'"),
        ("dense.epochs", "override 'dense.epochs'"),
        ("assign.n_features=9", "sets a field that the space searches"),
        ("space.n_feature={choices: [3]}", "space.n_feature is no field"),
        ("space.budget.trials={choices: [3]}", "space.budget"),
        ("space.data.classes={choices: [8]}", "space.data.classes"),
        ("space.width={values: [3]}", "space.width"),
        ("space.width={choices: []}", "space.width"),
        ("space.l1={low: 0, high: 1, log: true}", "space.l1"),
        ("space.l1={low: 2, high: 1}", "space.l1"),
        ("space.width={choices: [wide]}", "width"),
        ("objectives=[accuracy, beauty]", "objective 'beauty'"),
        ("objectives=[accuracy:up]", "objective 'accuracy:up'"),
        ("objectives=[]", "objectives=[]"),
        ("objectives=[accuracy, accuracy:min]", "objectives="),
    ],
)
def test_wrong_input_is_refused_in_three_parts(override, what):
    with pytest.raises(UsageError) as error:
        load_recipe("digits", [override])
    assert what in error.value.what
    assert error.value.expected
    assert error.value.todo


def test_a_dimension_is_replaced_or_dropped_and_a_group_merged():
    recipe = load_recipe("digits", ["space.n_features={choices: [4, 6]}", "space.l1=null", "dense={epochs: 3}"])
    assert recipe.space["n_features"] == {"choices": [4, 6]}
    assert "l1" not in recipe.space
    assert (recipe.dense.epochs, recipe.dense.lr) == (3, load_recipe("digits").dense.lr)
    assert load_recipe("digits", ["space={width: {choices: [64]}}"]).space == {"width": {"choices": [64]}}
    dotted = load_recipe("digits", ["space.dense.lr={low: 0.001, high: 0.01, log: true}"])
    assert dotted.at({"dense.lr": 0.002}).dense.lr == 0.002


def test_a_near_miss_is_suggested():
    with pytest.raises(UsageError, match=r"did you mean 'dense\.epochs'"):
        load_recipe("digits", ["dense.epoch=3"])


def test_the_kind_that_has_a_setting_is_named():
    with pytest.raises(UsageError, match=r"manifest is a setting of data\.name=manifest: set that, too"):
        load_recipe("folder", ["data.manifest=birds.csv"])


def test_a_space_without_a_feasible_point_is_refused_by_arithmetic():
    with pytest.raises(InfeasibleError, match="no point of the space"):
        load_recipe("digits", ["space.width={choices: [4]}", "space.n_features={choices: [8]}"])


def test_difference_shows_what_changed_but_not_budget_or_paths():
    old = load_recipe("cub50")
    new = load_recipe("cub50", ["dense.epochs=3", "budget.trials=99", "data.root=/elsewhere", "tracking.uri=http://x"])
    assert difference(old.to_dict(), new.to_dict()) == ["dense.epochs: 25 -> 3"]
    here, there = (load_recipe("folder", ["data.name=manifest", f"data.manifest={at}/x.csv"]) for at in ("a", "s3://b"))
    assert difference(here.to_dict(), there.to_dict()) == []


def test_objectives_may_be_sizes_and_take_a_direction():
    recipe = load_recipe("digits")
    sizes = objectives_of(recipe, ["n_features", "correlation:max"])
    assert [(o.name, o.direction) for o in sizes] == [("n_features", "min"), ("correlation", "max")]
    assert sizes[0].high == 30


def test_an_unreadable_or_malformed_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        load_recipe("nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("data: [")
    with pytest.raises(UsageError, match="not valid YAML"):
        load_recipe(str(broken))
    broken.write_text("- a list")
    with pytest.raises(UsageError, match="holds a list"):
        load_recipe(str(broken))


def test_a_trials_recipe_holds_its_parameters():
    recipe = load_recipe("digits")
    trial = recipe.at({"n_features": 10, "l1": 0.5, "width": 96, "features_per_class": 2})
    assert (trial.assign.n_features, trial.finetune.l1, trial.adapter.width) == (10, 0.5, 96)
    assert trial.parameters()["n_features"] == 10
    assert recipe.assign.n_features != 10
    assert "hidden" not in trial.parameters()
    assert load_recipe("digits", ["objectives=[hidden:min]"]).parameters()["hidden"] == 128


def test_a_password_in_the_tracking_address_is_refused_and_not_shown():
    with pytest.raises(UsageError, match="MLFLOW_TRACKING_URI") as error:
        load_recipe("digits", ["tracking.uri=http://someone:s3cret@host:5000"])
    assert "s3cret" not in str(error.value)
    assert load_recipe("digits", ["tracking.uri=sqlite:////home/a@b/mlflow.db"]).tracking.uri
