"""A space is of its fields' types, and no slip in it gets past the recipe or is corrected in silence."""

import optuna
import pytest

from tuner.errors import UsageError
from tuner.recipe import load_recipe, parse_recipe
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.space import Space
from tuner.search.record.state import TrialRecord


@pytest.mark.parametrize(
    ("dimension", "said"),
    [
        ("n_features={choices: 10}", "write choices: .10"),
        ("n_features={choices: []}", "at least one choice"),
        ("n_features={choices: [[5, 6]]}", "single value"),
        ("n_features={choices: [{a: 1}]}", "single value"),
        ("n_features={choices: [5, five]}", "whole number"),
        ("n_features={choices: [null, 10]}", "null"),
        ("n_features={choices: [5, 5.0]}", "each choice once"),
        ("l1={choices: [1, 1.0]}", "each choice once"),
        ("n_features={choices: [true]}", "whole number"),
        ("n_features={choices: [5, 7.5]}", "whole number"),
        ("l1={choices: [.nan]}", "finite"),
        ("l1={low: 0, high: .inf}", "finite"),
        ("l1={choices: [-1]}", "at least 0"),
        ("width={choices: [0, 8]}", "at least 1"),
        ("adapter.dropout={low: 0, high: 2}", "at most 0.9"),
        ("adapter.n_layers={choices: [0, 2]}", "at least 1"),
        ("adapter.pooling={choices: [avg, mox]}", "one of avg"),
        ("dense.precision={choices: [auto, float32]}", "holds auto"),
        ("n_features={choices: '[5, 6]'}", r"write choices: \[5, 6\]"),
        ("n_features={choices: {5: 6}}", r"write choices: \[1, 2\]"),
        ("adapter.pooling={low: avg, high: max}", "no number"),
        ("dense.reestimate_batch_norm={low: false, high: true}", "no number"),
        ("dense.reestimate_batch_norm={choices: [1, 2]}", "true or false"),
        ("n_features={low: 30, high: 5}", "low < high"),
        ("n_features={low: 5, high: 5}", "choices: \\[5\\]"),
        ("n_features={low: 5}", "low: .., high"),
        ("n_features={low: 5, high: 30, stop: 5}", "low: .., high"),
        ("n_features={choices: [5], low: 5, high: 30}", "choices"),
        ("n_features=10", "choices"),
        ("n_features=[10, 20]", "choices"),
        ("n_features=", "choices"),
        ("n_features={low: 2.5, high: 30}", "whole number"),
        ("n_features={low: 5, high: 30, step: two}", "whole number"),
        ("n_features={low: 5, high: 30, step: 2.5}", "whole number"),
        ("n_features={low: 5, high: 30, step: -5}", "above 0"),
        ("n_features={low: 5, high: 30, step: 0}", "above 0"),
        ("n_features={low: 5, high: 30, step: 40}", "longer than the range"),
        ("n_features={low: 5, high: 30, step: 4}", "use 29 or 33"),
        ("n_features={low: 5, high: 30, step: null}", "null"),
        ("l1={low: 0.1, high: 1.0, step: 0.4}", "use 0.9 or 1.3"),
        ("l1={low: 0.1, high: 1.0, step: .nan}", "above 0"),
        ("l1={low: 0, high: 1.0, log: true}", "low > 0"),
        ("l1={low: 0.1, high: 1.0, log: true, step: 0.1}", "step or a log"),
        ("l1={low: 0.1, high: 1.0, log: 10}", "true or false"),
        ("nfeatures={choices: [3]}", "did you mean 'n_features'"),
        ("dense.learning_rate={low: 0.1, high: 1.0}", "dotted field"),
        ("budget.trials={choices: [3]}", "no field that can be searched"),
    ],
)
def test_a_slip_in_a_dimension_is_refused_in_three_parts(dimension, said):
    with pytest.raises(UsageError, match=said) as error:
        load_recipe("digits", [f"space.{dimension}"])
    assert error.value.todo


@pytest.mark.parametrize("space", ["[]", "text", "3", "", "[n_features]", "{n_features}", "{l1: 3, l1: 4}"])
def test_a_space_that_is_none_is_refused(space):
    with pytest.raises(UsageError, match="space"):
        load_recipe("digits", [f"space={space}"])


def test_numbers_are_read_as_the_field_has_them():
    recipe = load_recipe("digits", ["space.l1={low: 1, high: 1e1}", "space.dense.lr={choices: [1e-3, 0.01, 1]}"])
    assert recipe.space["l1"] == {"low": 1.0, "high": 10.0}
    assert recipe.space["dense.lr"] == {"choices": [0.001, 0.01, 1.0]}
    assert all(type(value) is float for value in recipe.space["dense.lr"]["choices"])
    # whole ends of a field that is no whole number leave it continuous
    assert isinstance(Space(recipe.space).distributions["l1"], optuna.distributions.FloatDistribution)
    words = load_recipe("digits", ["space.assign.locality_bias={choices: [on, off]}"])
    assert words.space["assign.locality_bias"] == {"choices": ["on", "off"]}
    yes = load_recipe("digits", ["space.dense.reestimate_batch_norm={choices: [yes, no]}"])
    assert yes.space["dense.reestimate_batch_norm"] == {"choices": [True, False]}


def test_steps_of_a_fraction_are_the_numbers_that_were_written():
    recipe = load_recipe("digits", ["space.l1={low: 0.1, high: 0.4, step: 0.1}"])
    assert list(Space(recipe.space).dimensions["l1"].values) == [0.1, 0.2, 0.3, 0.4]


def test_a_field_is_searched_under_one_name():
    recipe = load_recipe("digits", ["space.assign.n_features={choices: [4, 6]}"])
    assert recipe.space["n_features"] == {"choices": [4, 6]}
    assert "assign.n_features" not in recipe.space
    with pytest.raises(UsageError, match="twice"):
        parse_recipe("space: {l1: {choices: [1]}, finetune.l1: {choices: [2]}}")


@pytest.mark.parametrize("override", ["n_features=9", "assign.n_features=9", "assign={n_features: 9}", "l1=1"])
def test_a_searched_field_cannot_be_fixed_as_well(override):
    with pytest.raises(UsageError, match=r"write 'space\.(n_features|l1)=\{choices: \[(9|1.0)\]\}' instead"):
        load_recipe("digits", [override])


def test_any_seed_that_a_recipe_takes_makes_proposals():
    for seed in (0, 4295, 2**32 - 1):
        proposer = Proposer(load_recipe("digits", [f"seed={seed}", "budget.parallel=1"]), 10)
        assert proposer.propose(0, {})


def test_without_a_space_there_is_one_trial():
    proposer = Proposer(load_recipe("digits", ["space={}", "budget.parallel=2"]), 10)
    assert proposer.propose(0, {}) == {"n_features": 20, "features_per_class": 3, "width": 48, "seed": 0}
    assert proposer.propose(1, {0: TrialRecord(0, {"n_features": 20})}) is None
