"""The reference point of a search: settled once by the first trials, by number, and kept in the ledger."""

import pytest

from tests.ledgers import finished, home_with
from tests.search.test_limits import events
from tuner.front.hypervolume import FIRST_TRIALS, hypervolume
from tuner.front.pareto import Objective
from tuner.recipe import PricesConfig
from tuner.search.outcome.history import growth
from tuner.search.record.mirrored import Mirrored
from tuner.search.record.reference import reference_for, settled
from tuner.search.record.restoration import replay

AXES = (Objective("accuracy", "max", 0.0, 100.0), Objective("interpretability", "max", 0.0, 100.0))
KEPT = {"event": "reference", "time_s": 50.0, "values": {"accuracy": 40.0, "interpretability": 30.0}, "trials": 10}


def test_it_is_settled_when_ten_trials_in_a_row_have_ended():
    assert settled(replay(events(9)), AXES, {}, ended=False) is None
    assert settled(replay(events(12, open_trials=(3,))), AXES, {}, ended=False) is None, "trial 3 may still matter"
    found = settled(replay(events(12)), AXES, {}, ended=False)
    assert found.n_trials == FIRST_TRIALS
    assert found.values["accuracy"] == pytest.approx(50.0 - max(0.9, 1.0)), "a hundredth of the range, over the tenth"
    assert found == settled(replay(events(30)), AXES, {}, ended=False), "later trials change nothing"


def test_a_trial_whose_proposal_was_lost_may_still_matter():
    state = replay([e for e in events(12) if e.get("trial") != 3])
    assert settled(state, AXES, {}, ended=False) is None


def test_a_short_search_settles_it_at_its_end_and_a_recipe_at_once():
    assert settled(replay(events(3)), AXES, {}, ended=True).n_trials == 3
    assert settled(replay(events(0)), AXES, {}, ended=True) is None
    given = {"accuracy": 70.0, "interpretability": 20.0}
    assert settled(replay(events(0)), AXES, given, ended=False).values == given
    assert settled(replay(events(0)), AXES, {"accuracy": 70.0}, ended=False) is None, "the other axis is not known"


def test_what_the_ledger_keeps_counts_and_a_second_event_moves_nothing():
    moved = {**KEPT, "time_s": 60.0, "values": {"accuracy": 99.0, "interpretability": 99.0}}
    state = replay([*events(12), KEPT, moved])
    assert reference_for(state, AXES).values == KEPT["values"]
    assert settled(state, AXES, {"accuracy": 1.0, "interpretability": 1.0}, ended=True) is None
    assert hypervolume(state.points(AXES), AXES, reference_for(state, AXES)) == pytest.approx((21 / 60) * (20 / 70))
    other = (AXES[0], Objective("width", "min", 0.0, 96.0, "", 48.0))
    assert reference_for(state, other).values["accuracy"] == 40.0, "an axis that it has, beside one that it lacks"
    assert reference_for(state, other).values["width"] == pytest.approx(48.0 + 0.96)
    assert Mirrored().of(KEPT) == []


def test_ledgers_of_earlier_versions_have_it_by_the_same_rule():
    state = replay(events(12))
    assert state.reference is None
    assert reference_for(state, AXES) == settled(state, AXES, {}, ended=False)


def test_the_front_says_its_hypervolume_in_percent_with_its_scale(tmp_path):
    view = home_with(tmp_path / "runs", finished()).front()
    assert view.volume == f"hypervolume {100 * view.hypervolume:.1f} % (preliminary)"
    assert "the first 3 complete trials (it moves until there are 10); " in view.scale
    ended = {"event": "reference", "time_s": 140.0, "values": dict(view.reference.values), "trials": 3}
    kept = home_with(tmp_path / "ended", [*finished(), ended]).front()
    assert kept.volume == f"hypervolume {100 * view.hypervolume:.1f} %", "a short search has ended"
    assert "the first 3 complete trials; " in kept.scale
    assert view.scale.startswith("0 % is accuracy 89.1 % and interpretability 60.0 %, just beyond the ")
    assert view.scale.endswith("; 100 % is accuracy 100.0 % and interpretability 100.0 %, all at once")
    assert view.to_dict()["reference"] == dict(view.reference.values)
    assert view.moving == "", "too early after three trials"


def test_it_grows_over_trials_time_and_cost():
    state = replay(events(12))
    rows = growth(state, AXES, PricesConfig(cpu_hour=0.5))
    assert [row.trials for row in rows] == list(range(1, 13))
    assert [row.cpu_hours for row in rows] == [2.0 * n for n in range(1, 13)]
    assert rows[-1].money == pytest.approx(12.0)
    volumes = [row.hypervolume for row in rows]
    assert volumes == sorted(volumes)
