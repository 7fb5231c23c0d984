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


def state_of(*trials):
    return SearchState({record.number: record for record in trials})


EARLIER = [trial(number, 70.0 + number) for number in range(4)]
OWN = trial(4, 0.0, outcome=None, epochs=None)


def test_those_before_a_number_count_and_none_that_ended_since():
    own = trial(6, 0.0, known=3, outcome=None)
    before = bar_of(recipe_of(), state_of(*EARLIER, own), own)
    assert before.earlier.rung == ((-70.0, 3.0), (-71.0, 3.0), (-72.0, 3.0))
    assert (
        bar_of(recipe_of("budget.parallel=9"), state_of(*EARLIER, trial(4, 99.0), trial(7, 99.0), own), own) == before
    )


def test_values_of_another_epoch_do_not_count():
    others = [*EARLIER[:3], trial(3, 99.0, epochs=(5, 10))]
    assert bar_of(recipe_of(), state_of(*others, OWN), OWN).earlier.numbers == (0, 1, 2)


@pytest.mark.parametrize("overrides", [("stopping.rung=0",), ("finetune.epochs=1",)])
def test_without_a_rung_nothing_is_compared(overrides):
    assert bar_of(recipe_of(*overrides), state_of(*EARLIER, OWN), OWN) is None


def test_what_was_proposed_while_it_was_off_does_not_pause():
    own = dataclasses.replace(OWN, known=None)
    assert bar_of(recipe_of(), state_of(*EARLIER, own), own) is None


def test_what_paused_there_and_goes_on_does_not_pause_again():
    own = dataclasses.replace(OWN, reopened=True, rung_epochs=(3, 10))
    assert bar_of(recipe_of(), state_of(*EARLIER, own), own) is None
    assert bar_of(recipe_of("stopping.rung=0.5"), state_of(*EARLIER, own), own).epoch == 5


def test_a_trial_without_an_objective_at_the_rung_goes_on():
    bar = bar_of(recipe_of(), state_of(*EARLIER, OWN), OWN)
    assert bar.goes_on({"interpretability": 1.0})
    assert not bar.goes_on({"accuracy": 1.0})


def test_the_first_trials_pause():
    own = trial(0, 99.0, outcome=None, epochs=None)
    assert not bar_of(recipe_of(), state_of(own), own).goes_on({"accuracy": 99.0})


def test_a_size_that_is_an_objective_is_known_from_the_start():
    small, usual = trial(4, 0.0, per_class=2, outcome=None), trial(4, 0.0, outcome=None)
    for own, expected in ((small, True), (usual, False)):
        assert bar_of(recipe_of(), state_of(*EARLIER, own), own).goes_on(own.rung) is expected


def test_what_an_earlier_trial_became_counts_once_its_turn_is_known():
    """Trial 1 was promoted at a turn that trial 9 does not know yet, trial 2 at one that it knows; trial 3 paused."""
    others = [dataclasses.replace(other, values={"accuracy": 90.0 + other.number}) for other in EARLIER]
    others[1] = dataclasses.replace(others[1], reopened=True, promoted=8)
    others[2] = dataclasses.replace(others[2], reopened=True, promoted=5)
    others[3] = dataclasses.replace(others[3], outcome="pruned", values={})
    own = trial(9, 0.0, outcome=None, known=6)
    bar = bar_of(recipe_of("sampler.lag=4"), state_of(*others, own), own)
    assert bar.earlier.ended == ((-90.0, 3.0), None, (-92.0, 3.0), None)
    assert bar.earlier.rung == ((-70.0, 3.0), (-71.0, 3.0), (-72.0, 3.0), (-73.0, 3.0))


def test_it_crosses_to_workers():
    bar = bar_of(recipe_of(), state_of(*EARLIER, OWN), OWN)
    assert pickle.loads(pickle.dumps(bar)) == bar


def test_it_says_why_a_trial_pauses():
    assert bar_of(recipe_of(), state_of(*EARLIER, OWN), OWN).cause == "paused at epoch 3 of 10, not among the best 1/2"
    bar = bar_of(recipe_of("stopping.startup_trials=6"), state_of(*EARLIER, OWN), OWN)
    assert bar.cause == "paused at epoch 3 of 10, fewer than 6 trials to compare"


def test_paused_trials_are_open_again_where_the_rung_has_moved_or_gone():
    state = state_of(trial(0, 70.0, outcome="pruned"), trial(1, 71.0), trial(2, 72.0, outcome="pruned", epochs=(5, 10)))
    assert to_reopen(recipe_of(), state) == [2]
    assert to_reopen(recipe_of("stopping.eta=1", "stopping.startup_trials=99"), state) == [2]
    assert to_reopen(recipe_of("stopping.rung=0.5"), state) == [0]
    assert to_reopen(recipe_of("stopping.rung=0"), state) == [0, 2]


def test_a_trial_that_would_violate_a_constraint_is_behind_those_that_would_not():
    """The best accuracy of all, and as small as none, but not small enough for the recipe."""
    bounds = "constraints=[interpretability >= 50]"
    others = [dataclasses.replace(e, rung={**e.rung, "interpretability": 60.0}) for e in EARLIER]
    own = trial(4, 99.0, per_class=2, outcome=None)
    for interpretability, expected in ((60.0, True), (40.0, False)):
        own.rung["interpretability"] = interpretability
        bar = bar_of(recipe_of(bounds), state_of(*others, own), own)
        assert bar.goes_on(own.rung) is expected
        assert bar_of(recipe_of(), state_of(*others, own), own).goes_on(own.rung)


def test_a_constraint_is_forecast_as_objectives_are():
    """All are below the bound at the rung, and have come above it by the end: so this one will."""
    others = [dataclasses.replace(e, values={"accuracy": 90.0 + e.number}) for e in EARLIER]
    own = trial(4, 80.0, outcome=None)
    bar = bar_of(recipe_of("constraints=[accuracy >= 85]"), state_of(*others, own), own)
    assert [row[2] > 0 for row in bar.earlier.rung] == [True] * 4
    assert [row[2] < 0 for row in bar.earlier.ended] == [True] * 4
    assert bar.goes_on(own.rung)
