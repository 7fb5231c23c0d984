"""The lag: which outcomes a proposal knows, that a slow trial does not hold up others, and that it is settled once."""

import json
import time

import pytest

from tests.turns import N_CLASSES, Broker, begin, outcome_of, recipe_of
from tuner.recipe import load_recipe
from tuner.search.propose.lag import adopt_lag, settle_lag, told_lag
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.searcher import LedgerSearcher
from tuner.search.record.restoration import TrialRecord, apply

SPACE = "space={n_features: {low: 5, high: 100, step: 5}, l1: {low: 0.1, high: 10, log: true}}"


def proposals(values, lag):
    """Twelve proposals; trial i has the accuracy `values(i)`."""
    settings = [f"sampler.lag={lag}", "sampler.startup=2", "objectives=[accuracy]", "adapter.width=128"]
    recipe = load_recipe("digits", [SPACE, *settings])
    proposer, found = Proposer(recipe, 10), {}
    for number in range(12):
        params = proposer.propose(number, found)
        found[number] = TrialRecord(number, params, "complete", values={"accuracy": values(number)})
    return [trial.params for trial in found.values()]


@pytest.mark.parametrize("lag", [1, 4])
def test_a_proposal_knows_exactly_the_trials_up_to_its_lag(lag):
    straight = proposals(lambda number: 50.0 + number, lag)
    other = proposals(lambda number: 90.0 if number == 4 else 50.0 + number, lag)
    same = [one == two for one, two in zip(straight, other, strict=True)]
    assert all(same[: 4 + lag])  # trial 4 is first known to proposal 4 + lag
    assert not all(same[4 + lag :])


@pytest.mark.parametrize(("lag", "in_flight"), [(2, 0), (3, 1), (5, 3)])
def test_while_one_trial_runs_others_go_on_as_far_as_the_lag_lets(tmp_path, lag, in_flight):
    """Two slots, trial 0 is slow: `lag - 1` others may begin before it ends."""
    recipe, home = recipe_of(f"sampler.lag={lag}", "budget.trials=12"), begin(tmp_path)
    state, broker = home.state(recipe), Broker()

    def record(event):
        assert apply(state, event, 0.0) is None

    searcher = LedgerSearcher(recipe, "bank", state, Proposer(recipe, N_CLASSES), record, broker, lambda: False)
    names, done = iter(range(100)), []
    running = {}
    for _ in range(8):
        while isinstance(given := searcher.suggest(name := f"tune-{next(names)}"), dict):
            running[given["number"]] = name
        ready = [number for number in running if number in broker.ready and number != 0]
        if not ready:
            break
        stages = broker.ready.pop(ready[0])
        text = json.dumps(outcome_of(state.trials[ready[0]].params, stages))
        searcher.on_trial_complete(running.pop(ready[0]), {"record": text})
        done.append(ready[0])
    assert done == list(range(1, lag))
    assert len(done) - 1 == in_flight


def test_the_lag_is_settled_once_and_stays_when_more_run_at_once():
    stored = settle_lag(load_recipe("digits", ["budget.parallel=4"]))
    assert stored.sampler.lag == 6
    later = adopt_lag(load_recipe("digits", ["budget.parallel=16"]), stored)
    assert later.sampler.lag == 6
    assert "budget.parallel=16, but this search keeps at most 6 trials in flight" in told_lag(later)
    assert told_lag(stored) == ""
    assert adopt_lag(load_recipe("digits", ["sampler.lag=3"]), stored).sampler.lag == 3


def test_a_thousand_trials_are_restored_in_no_time():
    """It was quadratic: 17 s of CPU for 1,000 trials. Now it is a tenth of a second, the next proposal included."""
    recipe = load_recipe("digits", [SPACE, "objectives=[accuracy]", "sampler.lag=1"])
    found = {
        n: TrialRecord(
            n, {"n_features": 5 * (1 + n % 20), "l1": 0.1 + n / 200}, "complete", values={"accuracy": n % 97.0}
        )
        for n in range(1000)
    }
    started = time.process_time()
    assert Proposer(recipe, 10).propose(1000, found) is not None
    assert time.process_time() - started < 2.0


def test_a_search_of_an_earlier_version_keeps_its_lag(tmp_path):
    """Its stored recipe tells none: a proposal waited for all but `budget.parallel` trials, as many as at its start."""
    home = begin(tmp_path, "budget.parallel=3")
    assert "lag: -1" in home.store.get(home.key("recipe.yaml")).decode()
    stored, _ = home.stored()
    assert stored.sampler.lag == 3
    assert adopt_lag(recipe_of("budget.parallel=16"), stored).sampler.lag == 3
