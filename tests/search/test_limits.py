"""The limits of a budget: what is spent over all drivers, what is kept for confirming, a front that stands still."""

from collections import Counter

import pytest

from tests.turns import begin, turn
from tuner.recipe import load_recipe
from tuner.search.cost.limits import SpendLimit, first_enough, limits_of
from tuner.search.cost.patience import Patience
from tuner.search.cost.spent import Spent, spent_by, spent_in
from tuner.search.record.restoration import replay
from tuner.search.record.stage_use import StageUse
from tuner.search.record.state import SearchState

HOUR = 3600.0


def use(stage="dense", key="d0", *, reused=False, ran_s=HOUR, cpus=2.0, gpus=0.5, seconds=9e9):
    content = {"stage": stage, "key": key, "reused": reused, "seconds": seconds, "saved_s": HOUR if reused else 0.0}
    return content | {"ran_s": 0.0 if reused else ran_s, "cpus": cpus, "gpus": gpus}


def events(n, *, accuracy=lambda number: 50.0 + number, open_trials=(), stages=lambda number: [use()]):
    found = [{"event": "search", "time_s": 0.0, "recipe": {}, "versions": {}}]
    for number in range(n):
        params = {"n_features": 10, "features_per_class": 2, "width": 48, "l1": 1.0}
        found.append({"event": "trial", "trial": number, "time_s": 1.0 + number, "params": params})
        if number in open_trials:
            continue
        values = {"accuracy": accuracy(number), "interpretability": 50.0}
        ended = {"outcome": "complete", "stage": None, "cause": None, "values": values, "model": "m", "seconds": 1.0}
        found.append({"event": "outcome", "trial": number, "time_s": 1.5 + number, "stages": stages(number)} | ended)
    return found


def test_what_was_held_while_it_ran_is_spent_and_waiting_and_reuse_cost_nothing():
    uses = [StageUse.from_json(use()), StageUse.from_json(use(reused=True))]
    assert (spent_by(uses).cpu_hours, spent_by(uses).gpu_hours) == (2.0, 0.5)
    prices = load_recipe("digits", ["budget.prices={cpu_hour: 0.1, gpu_hour: 3}"]).budget.prices
    assert spent_by(uses).money(prices) == pytest.approx(0.2 + 1.5)


def test_a_stage_of_an_earlier_version_counts_a_core_for_the_time_waited():
    old = {name: value for name, value in use(seconds=HOUR).items() if name not in ("ran_s", "cpus", "gpus")}
    assert spent_by([StageUse.from_json(old)]) == Spent(HOUR, 0.0)
    assert StageUse.from_json(old).took_s == HOUR


def test_all_drivers_and_confirmations_count():
    again = {"event": "search", "time_s": 100.0, "recipe": {}, "versions": {}}
    confirmed = {"event": "confirmation", "time_s": 101.0, "trial": 0, "seed": 1, "split_seed": 0, "stages": [use()]}
    confirmed |= {"outcome": "complete", "cause": None, "values": {"accuracy": 1.0}}
    assert spent_in(replay([*events(3), again, confirmed])).cpu_hours == 8.0


def limit(of=10.0, kept=0.0):
    return SpendLimit("budget.cpu_hours", of, "CPU h", lambda spent: spent.cpu_hours, kept)


def test_no_trial_is_proposed_that_the_limit_does_not_pay_for():
    """Each trial of two CPU hours: with ten to spend, five are proposed, and those under way are counted."""
    assert not limit().enough(replay(events(0)), 0)
    assert not limit().enough(replay(events(4)), 4)
    assert limit().enough(replay(events(5)), 5)
    assert limit().enough(replay(events(5, open_trials=(3, 4))), 5)
    assert limit(kept=3.0).enough(replay(events(4)), 4), "trials leave what confirming takes"
    assert not limit().reached(replay(events(4)))
    assert limit().reached(replay(events(5)))


def test_its_end_is_said_in_units_with_what_to_do():
    assert limit().told(replay(events(5))) == (
        "budget.cpu_hours of 10 CPU h is spent (10 CPU h) after 5 trials; run with a larger budget.cpu_hours to go on"
    )


def test_each_limit_of_a_recipe_is_one_rule_and_the_first_one_ends_the_search():
    recipe = load_recipe(
        "digits",
        ["budget.cpu_hours=9", "budget.gpu_hours=100", "budget.money=50", "budget.prices={gpu_hour: 1, currency: EUR}"],
    )
    limits = limits_of(recipe)
    assert [(rule.name, rule.unit) for rule in limits] == [
        ("budget.cpu_hours", "CPU h"),
        ("budget.gpu_hours", "GPU h"),
        ("budget.money", "EUR"),
    ]
    assert first_enough(limits, replay(events(2)), 2) is None
    assert first_enough(limits, replay(events(5)), 5) is limits[0]
    assert limits_of(load_recipe("digits")) == [], "without a limit there is no rule"


def patience(trials=5, tolerance=0.01, lag=1):
    recipe = load_recipe("digits", [f"budget.patience={trials}", f"budget.tolerance={tolerance}"])
    return Patience(Patience.of(recipe).objectives, trials, tolerance, lag)


def still_after(n):
    return lambda number: float(min(number, n)) + 50.0


def test_a_front_that_stands_still_ends_the_search():
    rule, state = patience(), replay(events(30, accuracy=still_after(14)))
    ends = next(number for number in range(31) if rule.enough(state, number))
    assert ends == 15 + 5, "trial 14 was the last that moved it, and five more added nothing"
    assert all(rule.enough(state, number) for number in range(ends, 31)), "it stays ended"
    assert not any(patience().enough(replay(events(30)), number) for number in range(31)), "one that moves goes on"


def test_not_before_the_reference_is_settled():
    state = replay(events(12, accuracy=still_after(0)))
    assert not any(patience(2).enough(state, number) for number in range(11))
    assert patience(2).enough(state, 12)


def test_a_search_that_was_shorter_at_first_ends_after_the_same_trials():
    """It settled its reference with three trials; what a longer one proposes must not depend on that."""
    kept = {"event": "reference", "time_s": 5.0, "values": {"accuracy": 63.9, "interpretability": 49.0}, "trials": 3}
    straight, extended = (replay([*events(30, accuracy=still_after(14)), *more]) for more in ([], [kept]))
    for number in range(31):
        assert patience().enough(extended, number) == patience().enough(straight, number)


def test_which_trials_are_proposed_does_not_depend_on_which_end_first():
    """A later trial that has ended already, or is still open, changes nothing: only those far enough behind count."""
    late, lag = patience(lag=4), 4
    state = replay(events(30, accuracy=still_after(14)))
    for number in range(16, 31):
        shorter = replay(events(number, accuracy=still_after(14), open_trials=range(number - lag + 1, number)))
        assert late.enough(shorter, number) == late.enough(state, number)
    assert not late.enough(replay(events(30, accuracy=still_after(14), open_trials=(2,))), 30)


def test_a_searcher_proposes_no_more_than_its_limit_pays_for(tmp_path):
    """The real searcher and ledger: stages of a second on one core each, a CPU second and a half for each of them."""
    home = begin(tmp_path)
    assert turn(home) == list(range(8))
    limits = [SpendLimit("budget.cpu_hours", 12.5 / HOUR, "CPU h", lambda spent: spent.cpu_hours)]
    other = begin(tmp_path / "limited")
    proposed = turn(other, enough=lambda state: lambda number: bool(first_enough(limits, state, number)))
    assert proposed == [0, 1, 2], "four CPU seconds a trial, and one of two in flight when the rule holds"
    assert other.state().open() == []


def test_each_trial_is_looked_at_once_however_often_it_is_asked(monkeypatch):
    """A rule that is asked as the search grows says what one says that sees all at once; and its work is linear."""
    state, rule = replay(events(60, accuracy=still_after(40), open_trials=())), patience()
    looked = Counter()
    plain = SearchState.point
    monkeypatch.setattr(SearchState, "point", lambda self, t, names: looked.update([t.number]) or plain(self, t, names))
    asked = [rule.enough(state, number) for number in range(61)]
    assert set(looked.values()) == {1}
    assert asked == [patience().enough(state, number) for number in range(61)]
    assert asked == [number > 45 for number in range(61)]
    assert not rule.enough(state, 45), "an earlier number is not ended by what came later"
    assert not rule.enough(replay(events(30)), 30), "another search is looked at anew"
