"""The first points of a search: those asked for, then the recipe's own; impossible ones are refused at its start."""

import pytest

from tuner.errors import InfeasibleError
from tuner.recipe import load_recipe
from tuner.search.propose.first_points import refuse_impossible, why_not_own
from tuner.search.propose.proposer import Proposer
from tuner.search.record.restoration import TrialRecord

SPACE = "space={n_features: {choices: [4, 10, 20]}, features_per_class: {choices: [2, 3]}}"


def first(recipe, count, prior=()):
    proposer, found = Proposer(recipe, 10, prior), {}
    for number in range(count):
        found[number] = TrialRecord(number, proposer.propose(number, found))
    return [(trial.params["n_features"], trial.params["features_per_class"]) for trial in found.values()]


def test_points_come_first_in_their_order_then_the_recipes_own():
    points = "points=[{n_features: 10, features_per_class: 2}, {features_per_class: 2}]"
    assert first(load_recipe("digits", [SPACE, points]), 3) == [(10, 2), (20, 2), (20, 3)]


def test_the_recipes_own_settings_come_first_unless_switched_off_or_learned_from():
    own = TrialRecord(0, {"n_features": 20, "features_per_class": 3}, "complete", values={"accuracy": 1.0})
    assert first(load_recipe("digits", [SPACE]), 1) == [(20, 3)]
    assert (20, 3) not in first(load_recipe("digits", [SPACE]), 3, [own])
    off = load_recipe("digits", [SPACE, "sampler.recipe_first=false", "seed=2"])
    assert first(off, 1) != [(20, 3)]
    assert why_not_own(off, 10) == ""


def test_it_is_said_why_the_recipes_own_settings_are_not_tried():
    assert "n_features=20 does not lie in the space" in why_not_own(
        load_recipe("digits", ["space={n_features: {choices: [10]}}"]), 10
    )
    crowded = load_recipe("digits", ["space={n_features: {choices: [4, 20]}, features_per_class: {choices: [2, 3]}}"])
    assert why_not_own(crowded, 10) == ""
    assert "1140 subsets of 3, for 2000 classes" in why_not_own(crowded, 2000)


def test_a_point_asked_for_is_tried_although_another_search_tried_it():
    tried = TrialRecord(0, {"n_features": 10, "features_per_class": 2}, "complete", values={"accuracy": 1.0})
    asked = load_recipe("digits", [SPACE, "points=[{n_features: 10, features_per_class: 2}]"])
    assert first(asked, 1, [tried]) == [(10, 2)]


def test_a_point_with_too_few_subsets_for_the_classes_is_refused():
    asked = load_recipe("digits", [SPACE, "points=[{n_features: 4, features_per_class: 2}]"])
    refuse_impossible(asked, 6)
    with pytest.raises(InfeasibleError, match="point 1 of points is infeasible: 4 features have only 6 subsets"):
        refuse_impossible(asked, 10)


def test_a_point_tried_by_hand_meanwhile_is_not_tried_twice():
    recipe = load_recipe("digits", [SPACE, "points=[{n_features: 10, features_per_class: 2}]"])
    by_hand = {0: TrialRecord(0, {"n_features": 10, "features_per_class": 2})}
    proposed = Proposer(recipe, 10).propose(1, by_hand)
    assert (proposed["n_features"], proposed["features_per_class"]) == (20, 3)
