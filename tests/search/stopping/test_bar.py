"""What a trial is compared with: earlier trials by their numbers, and never those that happened to be faster."""

import dataclasses
import pickle

import pytest

from tuner.recipe import load_recipe
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.bar import bar_of
from tuner.search.stopping.reopening import to_reopen

OVERRIDES = ("objectives=[accuracy, features_per_class]", "stopping.startup_trials=2", "stopping.eta=2")


def recipe_of(*overrides):
    return load_recipe("digits", ["stopping.rung=0.3", *OVERRIDES, *overrides])


def trial(number, accuracy, *, per_class=3, outcome="complete", known=None, epochs=(3, 10)):
    record = TrialRecord(number, {"features_per_class": per_class}, outcome, rung={"accuracy": accuracy})
    record.rung_epochs, record.known = epochs, number if known is None else known
    return record


def state_of(*trials, recipe=None):
    state = SearchState({record.number: record for record in trials})
    state.stopping = {} if recipe is None else recipe.to_dict()["stopping"]
    return state


EARLIER = [trial(number, 70.0 + number) for number in range(4)]


def test_those_before_a_number_count_and_none_that_ended_since():
    own = trial(6, 0.0, known=3, outcome=None)
    before = bar_of(recipe_of(), state_of(*EARLIER, own), own)
    assert before.earlier == ((-70.0, 3.0), (-71.0, 3.0), (-72.0, 3.0))
    assert (
        bar_of(recipe_of("budget.parallel=9"), state_of(*EARLIER, trial(4, 99.0), trial(7, 99.0), own), own) == before
    )


def test_values_of_another_epoch_do_not_count():
    own = trial(4, 0.0, outcome=None)
    others = [*EARLIER[:3], trial(3, 99.0, epochs=(5, 10))]
    assert len(bar_of(recipe_of(), state_of(*others, own), own).earlier) == 3


@pytest.mark.parametrize("overrides", [("stopping.rung=0",), ("finetune.epochs=1",)])
def test_without_a_rung_nothing_is_compared(overrides):
    own = trial(4, 0.0, outcome=None)
    assert bar_of(recipe_of(*overrides), state_of(*EARLIER, own), own) is None


def test_what_was_proposed_while_it_was_off_is_not_stopped():
    own = dataclasses.replace(trial(4, 0.0, outcome=None), known=None)
    assert bar_of(recipe_of(), state_of(*EARLIER, own), own) is None


def test_a_trial_without_an_objective_at_the_rung_goes_on():
    own = trial(4, 0.0, outcome=None)
    assert bar_of(recipe_of(), state_of(*EARLIER, own), own).judge({"interpretability": 1.0}) is None


def test_a_size_that_is_an_objective_is_known_from_the_start():
    small, usual = trial(4, 0.0, per_class=2, outcome=None), trial(4, 0.0, outcome=None)
    for own, expected in ((small, True), (usual, False)):
        assert bar_of(recipe_of(), state_of(*EARLIER, own), own).judge(own.rung).goes_on is expected


def test_what_an_earlier_trial_became_counts_if_it_was_trained_to_its_end_in_one_go():
    own, others = trial(4, 0.0, outcome=None), [dataclasses.replace(other) for other in EARLIER]
    for other in others:
        other.values = {"accuracy": 90.0 + other.number}
    others[1].reopened = True  # it went on later, while others may already have been compared
    others[2] = dataclasses.replace(others[2], outcome="pruned", values={})
    bar = bar_of(recipe_of(), state_of(*others, own), own)
    assert bar.ended == ((-90.0, 3.0), None, None, (-93.0, 3.0))
    assert bar.earlier == ((-70.0, 3.0), (-71.0, 3.0), (-72.0, 3.0), (-73.0, 3.0))


def test_it_says_where_a_trial_was_stopped():
    own = trial(4, 0.0, outcome=None)
    assert bar_of(recipe_of(), state_of(*EARLIER, own), own).cause == "not among the best 1/2 at epoch 3 of 10"


PRUNED = [*EARLIER, trial(4, 71.5, outcome="pruned"), trial(5, 60.0, outcome="pruned")]


@pytest.mark.parametrize(
    ("change", "reopened"),
    [
        ("stopping.eta=2", [4]),  # the best three of five
        ("stopping.eta=2.5", []),
        ("stopping.rung=0", [4, 5]),
        ("stopping.rung=0.5", [4, 5]),  # to be compared at another epoch
        ("stopping.startup_trials=5", [4]),
        ("budget.parallel=9", []),
    ],
)
def test_a_search_continued_with_other_settings_reopens_what_they_would_not_have_stopped(change, reopened):
    state = state_of(*PRUNED, recipe=recipe_of("stopping.eta=3"))
    assert to_reopen(recipe_of("stopping.eta=3", change), state) == reopened


def test_nothing_is_looked_at_while_the_settings_stay():
    state = state_of(*PRUNED, recipe=recipe_of())
    state.trials[4].rung = {}  # would be a reason to go on
    assert to_reopen(recipe_of(), state) == []


def test_it_reaches_the_broker_as_it_was():
    own = trial(4, 0.0, outcome=None)
    bar = bar_of(recipe_of(), state_of(*EARLIER, own), own)
    assert pickle.loads(pickle.dumps(bar)) == bar


def test_a_trial_that_would_violate_a_constraint_is_behind_those_that_would_not():
    """The best accuracy of all, and as small as none, but not small enough for the recipe."""
    bounds = "constraints=[interpretability >= 50]"
    others = [dataclasses.replace(e, rung={**e.rung, "interpretability": 60.0}) for e in EARLIER]
    own = trial(4, 99.0, per_class=2, outcome=None)
    for interpretability, expected in ((60.0, True), (40.0, False)):
        own.rung["interpretability"] = interpretability
        bar = bar_of(recipe_of(bounds), state_of(*others, own), own)
        assert bar.judge(own.rung).goes_on is expected
        assert bar_of(recipe_of(), state_of(*others, own), own).judge(own.rung).goes_on


def test_a_constraint_is_forecast_as_objectives_are():
    """All are below the bound at the rung, and have come above it by the end: so this one will."""
    others = [dataclasses.replace(e, rung={"accuracy": 70.0 + e.number}) for e in EARLIER]
    for other in others:
        other.values = {"accuracy": 90.0 + other.number}
    own = trial(4, 80.0, outcome=None)
    bar = bar_of(recipe_of("constraints=[accuracy >= 85]"), state_of(*others, own), own)
    assert [row[2] > 0 for row in bar.earlier] == [True] * 4
    assert [row[2] < 0 for row in bar.ended] == [True] * 4
    assert bar.judge(own.rung).place == 1
