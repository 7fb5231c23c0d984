"""Proposals: reproducible under interruption, never repeated, never infeasible, and learning from older searches."""

import pytest

from tuner.recipe import load_recipe
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.space import Space
from tuner.search.record.restoration import TrialRecord

SPACE = ["space={n_features: {low: 5, high: 30, step: 5}, features_per_class: {choices: [2, 3, 4, 5]}}"]


def outcome(params):
    """A made-up trade-off with a known shape."""
    return {"accuracy": 60 + params["n_features"], "interpretability": 90 - 5 * params["features_per_class"]}


def search(recipe, trials, restart_at=(), prior=()):
    """Run proposals against the made-up outcome with `parallel` trials in flight."""
    proposer, found = Proposer(recipe, 10, prior), {}
    for number in range(trials):
        if number in restart_at:
            proposer = Proposer(recipe, 10, prior)
        if (ended := number - proposer.lag) >= 0:
            found[ended].outcome, found[ended].values = "complete", outcome(found[ended].params)
        params = proposer.propose(number, found)
        if params is None:
            break
        found[number] = TrialRecord(number, params)
    return found


def params_of(found):
    return [trial.params for trial in found.values()]


def test_the_same_seed_proposes_the_same_trials_whatever_the_interruptions():
    recipe = load_recipe("digits", ["budget.trials=20"])
    straight = params_of(search(recipe, 20))
    for kill_points in [(1,), (5, 6), (3, 9, 15)]:
        assert params_of(search(recipe, 20, restart_at=kill_points)) == straight
    other = load_recipe("digits", ["budget.trials=20", "seed=1"])
    assert params_of(search(other, 20)) != straight


def test_a_discrete_space_is_exhausted_without_repeats_or_infeasible_points():
    recipe = load_recipe("digits", ["space={n_features: {choices: [4, 6]}, features_per_class: {choices: [2, 3, 5]}}"])
    points = [(p["n_features"], p["features_per_class"]) for p in params_of(search(recipe, 50))]
    # 4 choose 2 = 6 and 4 choose 3 = 4 are fewer than the 10 classes, 5 > 4, and 6 choose 5 = 6 is too few as well
    assert sorted(points) == [(6, 2), (6, 3)]


@pytest.mark.slow
def test_guided_proposals_beat_random_ones_on_a_known_trade_off():
    recipe = load_recipe("digits", ["budget.trials=40", *SPACE])
    found = list(search(recipe, 24).values())
    late = [t.params["n_features"] for t in found[12:]]
    assert sum(late) / len(late) > 17.5  # the middle of the range


def test_trials_of_an_older_search_are_learnt_from_where_they_fit():
    recipe = load_recipe("digits", SPACE)
    params = {"n_features": 10, "features_per_class": 2}
    fits = TrialRecord(0, params, "complete", values=outcome(params))
    outside = TrialRecord(1, {"n_features": 31, "features_per_class": 2}, "complete", values=outcome(params))
    lacking = TrialRecord(2, {"n_features": 10}, "complete", values=outcome(params))
    failed = TrialRecord(3, params, "failed")
    learned = Proposer(recipe, 10, [fits, outside, lacking, failed])._ended
    assert [(dict(trial.params), trial.values) for trial in learned] == [(params, (70.0, 80.0))]


def test_an_older_search_is_learnt_from_in_one_order_whatever_ended_first():
    recipe = load_recipe("digits", ["budget.trials=16", *SPACE])
    points = [{"n_features": n, "features_per_class": k} for n in (10, 20, 30) for k in (2, 3)]
    prior = [TrialRecord(i, params, "complete", values=outcome(params)) for i, params in enumerate(points)]
    expected = params_of(search(recipe, 8, prior=prior))
    assert expected != params_of(search(recipe, 8))
    assert params_of(search(recipe, 8, restart_at=(5,), prior=prior[::-1])) == expected


def test_failed_trials_do_not_stop_the_search():
    recipe = load_recipe("digits", ["budget.parallel=1"])
    proposer, found = Proposer(recipe, 10), {}
    for number in range(6):
        found[number] = TrialRecord(number, proposer.propose(number, found), "failed")
    assert len({tuple(p.items()) for p in params_of(found)}) == 6


@pytest.mark.parametrize(
    ("dimension", "text"),
    [
        ({"choices": [10, 20, 30]}, "IntDistribution(high=2, log=False, low=0, step=1)"),
        ({"choices": [128, 512, 256]}, "IntDistribution(high=2, log=False, low=0, step=1)"),
        ({"choices": [0.1, 1e-3]}, "IntDistribution(high=1, log=False, low=0, step=1)"),
        ({"choices": [True, False]}, "CategoricalDistribution(choices=(True, False))"),
        ({"choices": ["a", "b"]}, "CategoricalDistribution(choices=('a', 'b'))"),
        ({"low": 1, "high": 5}, "IntDistribution(high=4, log=False, low=0, step=1)"),
        ({"low": 0.1, "high": 0.5, "step": 0.1}, "IntDistribution(high=4, log=False, low=0, step=1)"),
        ({"low": 0.1, "high": 10, "log": True}, "FloatDistribution(high=10.0, log=True, low=0.1, step=None)"),
    ],
)
def test_the_recipes_space_in_optunas_words(dimension, text):
    assert str(Space({"x": dimension}).distributions["x"]) == text
