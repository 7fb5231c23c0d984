"""What the sampler is worth: it learns, spreads what runs at once, and leaves a region where trials always fail."""

import numpy as np
import pytest

from tuner.recipe import load_recipe
from tuner.search.propose.proposer import Proposer
from tuner.search.record.restoration import TrialRecord

N_FEATURES, PER_CLASS, L1 = range(5, 101, 5), range(3, 8), (0.1, 10.0)
SPACE = (
    "space={n_features: {low: 5, high: 100, step: 5}, features_per_class: {choices: [3, 4, 5, 6, 7]}, "
    "l1: {low: 0.1, high: 10, log: true}}"
)


def values(params):
    """A made-up trade-off: accuracy is best at 40 features and l1 = 1, interpretability at 30 and 1.6."""
    n, k, l1 = params["n_features"], params["features_per_class"], np.log(params["l1"])
    return {
        "accuracy": 80 - abs(n - 40) / 2 - 3 * abs(l1),
        "interpretability": 90 - 2 * k - abs(n - 30) / 2 - 3 * abs(l1 - 0.5),
    }


def recipe(seed, parallel, trials):
    budget = [f"budget.parallel={parallel}", f"budget.trials={trials}"]
    return load_recipe("digits", [SPACE, "adapter.width=128", f"seed={seed}", *budget])


def search(seed, end, trials=40, parallel=4):
    """The parameters of a search whose trials end as `end(record)` says."""
    proposer, found = Proposer(recipe(seed, parallel, trials), 10), {}
    for number in range(trials):
        if number >= parallel:
            end(found[number - parallel])
        found[number] = TrialRecord(number, proposer.propose(number, found))
    return [trial.params for trial in found.values()]


def completed(record):
    record.outcome, record.values = "complete", values(record.params)


@pytest.mark.slow
def test_later_proposals_are_far_better_than_random_ones():
    """Over five seeds random sampling reaches 122, ours 145; 160 is the best there is."""
    late = [sum(values(params).values()) for seed in range(3) for params in search(seed, completed)[20:]]
    assert np.mean(late) > 135


def test_trials_that_run_at_once_are_spread():
    """Without a stand-in value for running trials, proposals crowd around the same point: 0.18 instead of 0.28."""
    nearest = []
    for seed in range(8):
        proposer, found, rng = Proposer(recipe(seed, 8, 32), 10), {}, np.random.default_rng(seed)
        for number in range(24):
            params = {
                "n_features": int(rng.choice(N_FEATURES)),
                "features_per_class": int(rng.choice(PER_CLASS)),
                "l1": float(np.exp(rng.uniform(*np.log(L1)))),
            }
            found[number] = TrialRecord(number, params, "complete", values=values(params))
        for number in range(24, 32):
            found[number] = TrialRecord(number, proposer.propose(number, found))
        batch = [found[number].params for number in range(24, 32)]
        points = np.array(
            [(p["n_features"] / 95, p["features_per_class"] / 4, np.log(p["l1"]) / np.log(100)) for p in batch]
        )
        apart = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(8)
        nearest.append(apart.min(axis=1).mean())
    assert np.mean(nearest) > 0.23


def failed(record):
    record.outcome, record.stage = "failed", "finetune"


def infeasible(record):
    record.outcome, record.stage = "infeasible", "assign"


def unmeasured(record):
    record.outcome, record.values = "complete", {"accuracy": 99.0}


@pytest.mark.slow
@pytest.mark.parametrize("end", [failed, infeasible, unmeasured])
def test_a_region_where_trials_always_fail_is_left(end):
    """The objectives rise towards it: untold, the sampler sends 35 % of the later proposals there, chance 30 %."""

    def outcome(record):
        if record.params["n_features"] > 70:  # 6 of 20 values
            end(record)
        else:
            completed(record)
            record.values["accuracy"] += record.params["n_features"]

    share = [params["n_features"] > 70 for seed in range(3) for params in search(seed, outcome)[10:]]
    assert np.mean(share) < 0.12


def test_a_coordinator_that_died_says_nothing_about_its_parameters():
    def outcome(record):
        record.outcome = "failed"

    proposer, found = Proposer(recipe(0, 1, 8), 10), {}
    for number in range(8):
        found[number] = TrialRecord(number, proposer.propose(number, found))
        outcome(found[number])
    assert not proposer._ended
