"""The recipe's parts on proposing and on what a result is worth: read by type, refused in three parts."""

import pytest

from tuner.errors import InfeasibleError, UsageError
from tuner.recipe import allowed_space, constraints_of, load_recipe, parse_recipe, presets
from tuner.search.propose.first_points import why_not_own


def test_points_reference_and_constraints_are_read_and_written_as_they_are():
    recipe = load_recipe(
        "digits",
        [
            "points=[{assign.n_features: 10, width: 48, l1: 1}, {n_features: 20, width: 96, finetune.l1: 0.3}]",
            "reference={accuracy: 50}",
            "constraints=[accuracy >= 80, n_features <= 25]",
            "sampler={name: nsga2, population: 6}",
        ],
    )
    assert recipe.points == [{"n_features": 10, "width": 48, "l1": 1.0}, {"n_features": 20, "width": 96, "l1": 0.3}]
    assert recipe.reference == {"accuracy": 50.0}
    assert [str(constraint) for constraint in constraints_of(recipe)] == ["accuracy >= 80", "n_features <= 25"]
    assert (recipe.sampler.name, recipe.sampler.population) == ("nsga2", 6)
    assert parse_recipe(recipe.to_yaml()) == recipe


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("points=3", "points=3"),
        ("points=[3]", r"points=\[3\]"),
        ("points=[{nope: 3}]", r"points\.nope is no field that can be searched"),
        ("points=[{hidden: 3}]", "sets hidden, which the space does not search"),
        ("points=[{n_features: 21, width: 48, l1: 1}]", "has n_features=21"),
        ("points=[{n_features: 20.5}]", r"points: n_features='20\.5'"),
        ("points=[{n_features: ~}]", "n_features is null"),
        ("points=[{l1: 1, finetune.l1: 2}]", "sets l1 twice"),
        ("points=[{l1: 1, width: 48}, {width: 48, l1: 1}]", "points 1 and 2 of points are the same"),
        ("points=[{n_features: 5, features_per_class: 5, width: 48, l1: 1}, {width: 4}]", "has width=4"),
        ("constraints=accuracy >= 80", "constraints=accuracy >= 80"),
        ("constraints=[accuracy > 80]", "constraint 'accuracy > 80'"),
        ("constraints=[acuracy >= 80]", "is on acuracy"),
        ("constraints=[accuracy >= 80, accuracy <= 70]", "'accuracy >= 80' and 'accuracy <= 70'"),
        ("constraints=[accuracy >= 101]", "accuracy is 100 % at most"),
        ("constraints=[accuracy >= 80, accuracy >= 80.0]", "'accuracy >= 80' stands there twice"),
        ("constraints=[hidden >= 100000]", "every trial has hidden="),
        ("constraints=[n_features <= 3]", "no value of space.n_features=5 to 30 by 5 satisfies n_features <= 3"),
        ("constraints=[n_features <= 14, n_features >= 11]", "satisfies n_features <= 14 and n_features >= 11"),
        ("constraints=[width >= 4096]", r"no value of space.width=\[48, 96\] satisfies width >= 4096"),
        ("constraints=[{accuracy: 3}]", "constraints hold"),
        ("reference=[]", r"reference=\[\]"),
        ("reference={accuracy: x}", r"reference\.accuracy='x'"),
        ("reference={plausibility: 3}", "plausibility is no objective of this search"),
        ("reference={accuracy: 100}", "no accuracy can be better than 100"),
        ("reference={accuracy: inf}", r"reference\.accuracy=inf"),
        ("sampler.name=tpee", r"sampler\.name='tpee'"),
        ("sampler.lag=0", r"sampler\.lag=0"),
        ("sampler.recipe_first=maybe", r"sampler\.recipe_first='maybe'"),
    ],
)
def test_what_is_wrong_is_refused(override, what):
    with pytest.raises(UsageError, match=what) as refused:
        load_recipe("digits", [override])
    assert all(refused.value.args)


def test_a_point_that_leaves_out_a_field_needs_an_own_value_in_the_space():
    points = "points=[{width: 48}]"
    with pytest.raises(UsageError, match="leaves the recipe's own n_features=20"):
        load_recipe("digits", ["space.n_features={choices: [10]}", points])
    assert load_recipe("digits", [points]).points


@pytest.mark.parametrize("preset", presets())
def test_every_preset_can_begin_with_its_own_settings(preset):
    folder = ["data.root=somewhere"] if preset == "folder" else []
    assert why_not_own(load_recipe(preset, folder), 10) == ""


def test_an_infeasible_point_is_refused_by_its_sizes():
    space = "space={n_features: {choices: [4, 20]}, features_per_class: {choices: [3, 8]}}"
    with pytest.raises(
        UsageError, match=r"point 1 of points.*is infeasible: features_per_class = 8 is above n_features"
    ):
        load_recipe("digits", [space, "points=[{n_features: 4, features_per_class: 8}]"])


@pytest.mark.parametrize(
    ("spec", "constraints", "left"),
    [
        ("{choices: [0.5, 3, 1]}", "l1 <= 1", {"choices": [0.5, 1.0]}),
        ("{low: 0.1, high: 1.0, step: 0.1}", "l1 >= 0.25, l1 <= 0.6", {"low": 0.3, "high": 0.6, "step": 0.1}),
        ("{low: 0.1, high: 10, log: true}", "l1 <= 2", {"low": 0.1, "high": 2.0, "log": True}),
        ("{low: 0.1, high: 10}", "l1 <= 0.1", {"choices": [0.1]}),
        ("{low: 0.1, high: 10}", "accuracy >= 80", {"low": 0.1, "high": 10.0}),
    ],
)
def test_a_constraint_on_a_parameter_narrows_the_space(spec, constraints, left):
    recipe = load_recipe("digits", [f"space={{l1: {spec}}}", f"constraints=[{constraints}]"])
    assert allowed_space(recipe) == {"l1": left}


def test_whole_numbers_are_narrowed_to_whole_numbers():
    recipe = load_recipe("digits", ["space={n_features: {low: 5, high: 30}}", "constraints=[n_features <= 12.5]"])
    assert allowed_space(recipe) == {"n_features": {"low": 5, "high": 12}}


def test_constraints_that_leave_no_feasible_point_are_refused():
    space = "space={n_features: {low: 2, high: 30}, features_per_class: {choices: [3, 5]}}"
    with pytest.raises(InfeasibleError, match="is feasible under n_features <= 4 and features_per_class >= 4"):
        load_recipe("digits", [space, "constraints=[n_features <= 4, features_per_class >= 4]"])


def test_the_own_settings_are_not_tried_where_they_violate_a_constraint():
    told = why_not_own(load_recipe("digits", ["constraints=[n_features <= 10]"]), 10)
    assert told == "the recipe's own settings are not tried first: they violate n_features <= 10"
