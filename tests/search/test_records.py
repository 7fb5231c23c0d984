"""The ledger folds into the state of a search, whatever happened to its drivers."""

import pytest

from tuner.front.pareto import Objective
from tuner.search.record.mirrored import Mirrored
from tuner.search.record.restoration import TrialRecord, replay

ACCURACY = Objective("accuracy", "max", 0, 100)
STAGES = [
    {"stage": "dense", "key": "d", "reused": True, "seconds": 0.5, "saved_s": 60.0},
    {"stage": "assign", "key": "a", "reused": False, "seconds": 2.0, "saved_s": 0.0},
]


def started(time_s):
    return {"event": "search", "time_s": time_s, "recipe": {}, "versions": {}}


def proposed(trial, time_s):
    return {"event": "trial", "trial": trial, "time_s": time_s, "params": {"n_features": 10 + trial}}


def ended(trial, time_s, outcome="complete", **fields):
    event = {"event": "outcome", "trial": trial, "time_s": time_s, "outcome": outcome, "stage": None, "cause": None}
    return event | {"values": {"accuracy": 50.0 + trial}, "stages": STAGES, "model": "m", "seconds": 3.0} | fields


def test_outcomes_open_trials_and_search_time_across_drivers():
    events = [started(100), proposed(0, 101), ended(0, 110), proposed(1, 111)]
    events += [started(1000), ended(1, 1005, "failed", values={}, cause="nan", stage="dense")]
    state = replay(events)
    assert state.counts() == {"complete": 1, "failed": 1}
    assert state.open() == []
    assert [t.number for t in state.finished()] == [0, 1]
    assert state.trials[1].ended_s == 11 + 5  # the pause between the drivers does not count
    assert state.elapsed_s == 16
    assert state.points([ACCURACY])[0].values["accuracy"] == 50.0
    assert len(state.points([ACCURACY])) == 1


def test_an_open_trial_stays_open_and_a_doubled_outcome_counts_once():
    state = replay([started(0), proposed(0, 1), proposed(1, 1), ended(0, 5), ended(0, 6, "failed")])
    assert [t.number for t in state.open()] == [1]
    assert state.trials[0].outcome == "complete"


def test_what_was_reused_is_counted_by_stage():
    state = replay([started(0), proposed(0, 1), ended(0, 5), proposed(1, 6), ended(1, 9)])
    assert state.reuse()["dense"] == {"runs": 0, "reused": 2, "seconds": 0.0, "saved_s": 120.0}
    assert state.reuse()["assign"] == {"runs": 2, "reused": 0, "seconds": 4.0, "saved_s": 0.0}


def test_the_time_of_a_stage_is_the_time_it_ran_not_the_time_waited_for_it():
    """As a small search met it: its program was shown with 20.6 s, of which it had run 2.0 s."""
    waited = {**STAGES[1], "seconds": 20.6, "ran_s": 2.0, "cpus": 1.0, "gpus": 0.0}
    state = replay([started(0), proposed(0, 1), ended(0, 30, stages=[waited])])
    assert state.reuse()["assign"]["seconds"] == 2.0
    assert (state.trials[0].stages[0].took_s, state.trials[0].stages[0].seconds) == (2.0, 20.6)
    shown = next(event for event in Mirrored().of(ended(0, 30, stages=[waited])) if event["event"] == "stage")
    assert (shown["ran_s"], shown["seconds"]) == (2.0, 20.6)


def test_parameters_can_be_objectives():
    state = replay([started(0), proposed(0, 1), ended(0, 5)])
    size = Objective("n_features", "min", 0, 50)
    assert state.points([ACCURACY, size])[0].values["n_features"] == 10


def test_test_metrics_baselines_and_the_last_pick_are_kept():
    events = [started(0), proposed(0, 1), ended(0, 5), {"event": "test", "time_s": 6, "trial": 0, "values": {"a": 1.0}}]
    for value in (1.0, 2.0):
        events.append({"event": "baseline", "time_s": 7, "name": "probe", "note": "", "values": {"a": value}})
        events.append({"event": "pick", "time_s": 8, "trial": 0, "reason": f"reason {value}"})
    state = replay(events)
    assert state.trials[0].test == {"a": 1.0}
    assert [b.values for b in state.baselines] == [{"a": 2.0}]
    assert state.pick.reason == "reason 2.0"


def test_the_mirror_sees_stages_before_their_outcome():
    assert [e["event"] for e in Mirrored().of(ended(0, 5))] == ["stage", "stage", "outcome"]
    assert Mirrored().of(started(0)) == [started(0)]


def measured(trial, time_s, **fields):
    return {"event": "test", "trial": trial, "time_s": time_s, "values": {"accuracy": 1.0}} | fields


def picked(time_s):
    return {"event": "pick", "trial": 0, "time_s": time_s, "reason": "because"}


def baseline(time_s):
    return {"event": "baseline", "name": "probe", "note": "", "split": "test", "time_s": time_s, "values": {}}


TURN = [started(100), proposed(0, 101), ended(0, 110), measured(0, 115)]
DAY = 86_400


def test_search_time_is_the_time_of_drivers_turns():
    assert replay(TURN).elapsed_s == 15
    later = [picked(115 + DAY), measured(0, 116 + 2 * DAY, command="compare"), baseline(117 + 2 * DAY)]
    assert replay(TURN + later).elapsed_s == 15
    again = [started(4 * DAY), proposed(1, 4 * DAY + 1), picked(4 * DAY + 2), ended(1, 4 * DAY + 8)]
    state = replay(TURN + later + again)
    assert state.elapsed_s == 15 + 8
    assert [t.ended_s for t in state.finished()] == [10, 23]


def test_a_start_that_finds_nothing_to_do_takes_no_time():
    assert replay([*TURN, started(DAY), started(2 * DAY), picked(3 * DAY)]).elapsed_s == 15


def test_a_driver_that_died_is_counted_up_to_its_last_event():
    assert replay([started(100), proposed(0, 104), started(900), ended(0, 903)]).elapsed_s == 4 + 3


def test_a_clock_that_is_set_back_takes_no_time_away():
    back = [started(1000), proposed(0, 1010), proposed(1, 500), ended(0, 520), ended(1, 525)]
    state = replay(back)
    assert state.elapsed_s == 10 + 25
    assert [t.ended_s for t in state.finished()] == [30, 35]
    assert replay([started(1000), proposed(0, 10)]).elapsed_s == 0
    slow = [started(40), proposed(2, 41), ended(2, 45)]  # another driver, on a machine whose clock is behind
    assert replay([*back, *slow]).elapsed_s == 35 + 5


def test_a_ledger_without_its_first_event_still_adds_up():
    assert replay([proposed(0, 10), ended(0, 14)]).elapsed_s == 4


@pytest.mark.parametrize("read", ["finished", "open", "counts", "reuse", "points"])
def test_the_screen_reads_from_a_thread_of_its_own_while_trials_are_proposed(read):
    """As a long search met it: its progress ended with "dictionary changed size during iteration"."""
    state = replay([started(0), proposed(0, 1), proposed(1, 1), ended(0, 5)])

    class Eventful(TrialRecord):
        """A trial that another one is proposed beside, whenever somebody looks at it."""

        def __getattribute__(self, name):
            if name in ("outcome", "stages", "number"):
                state.trials.setdefault(new := len(state.trials), TrialRecord(new, {}))
            return super().__getattribute__(name)

    state.trials = {0: Eventful(**vars(state.trials[0])), 1: Eventful(**vars(state.trials[1]))}
    getattr(state, read)(*([[ACCURACY]] if read == "points" else []))
