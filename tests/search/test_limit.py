"""The time limit: over all drivers, said at once where it is spent, and an end whatever hangs."""

import contextlib
import dataclasses
import signal
import threading
import time

import pytest

from tests.ledgers import finished, home_with
from tuner.base.progress import Silent
from tuner.recipe import PricesConfig, Recipe
from tuner.search.driver import driver, time_limit
from tuner.search.driver.ctrl_c import finishing
from tuner.search.driver.driver import Driver
from tuner.search.driver.interrupts import Interrupts
from tuner.search.driver.time_limit import TimeLimit, TimeUp
from tuner.search.execute.broker_monitor import at_work
from tuner.search.execute.messages import RunSnapshot
from tuner.search.record.events import Suspended
from tuner.search.record.mirrored import Mirrored
from tuner.search.record.restoration import replay
from tuner.store import Lease

OPEN = {
    "event": "trial",
    "trial": 3,
    "time_s": 131.0,
    "params": {"n_features": 9, "features_per_class": 2, "width": 64},
}
IN_SPACE = {"n_features": 40, "features_per_class": 5, "width": 256, "l1": 0.001234567}


def test_what_earlier_drivers_spent_counts():
    assert not TimeLimit(0.0, 1e9).reached, "0: no limit"
    assert TimeLimit(100.0, 60.0).left_s == pytest.approx(40.0, abs=1.0)
    assert TimeLimit(100.0, 100.0).reached
    assert not TimeLimit(100.0, 120.0).overdue, "what runs may end within the grace"
    assert TimeLimit(100.0, 100.0 + time_limit.GRACE_S).overdue


@pytest.mark.parametrize(("ended", "trials"), [(0, "0 trials"), (1, "1 trial"), (12, "12 trials")])
def test_its_end_is_said_with_what_to_do(ended, trials):
    told = TimeLimit(3600.0, 3600.0).told(ended)
    assert told == f"time limit of 3,600 s reached after {trials}; run with a larger budget.time_limit_s to go on"
    assert TimeLimit(0.5, 1.0).told(1).startswith("time limit of 0.5 s reached")


def test_a_turn_that_ended_nothing_took_its_time_as_well():
    """A driver that waited an hour for a stage that hung: the next one has an hour less."""
    events = [*finished(), OPEN, {"event": "end", "time_s": 3731.0}]
    assert replay(events).elapsed_s == pytest.approx(3731.0 - 99.0)
    assert replay(events[:-1]).elapsed_s == pytest.approx(131.0 - 99.0)
    assert Mirrored().of(Suspended(3731.0).to_json()) == []


@contextlib.contextmanager
def a_driver(root, monkeypatch, limit_s, seeds=1, events=(OPEN,), **budget):
    def never(*_):
        raise AssertionError("Ray was started")

    monkeypatch.setattr(driver, "ray_for", never)
    home = home_with(root, [*finished(), *events], "tracking.enabled=false")
    recipe, bank = home.stored()
    recipe.budget = dataclasses.replace(recipe.budget, **budget)
    recipe.budget.time_limit_s, recipe.budget.trials, recipe.confirm.seeds = limit_s, 8, seeds
    recipe.dense.precision = recipe.finetune.precision = "float32"
    with Lease(home.store, home.name, "a test") as lease:
        yield Driver(home, recipe, bank, (), Silent(), lease, Interrupts())


def test_confirming_hides_no_change_of_early_stopping(tmp_path, monkeypatch):
    """What a run only confirms under other settings is not reopened by it, and still is by the next search."""
    before = {"event": "search", "time_s": 140.0, "recipe": {"stopping": {"rung": 0.3}}, "versions": {}}
    with a_driver(tmp_path, monkeypatch, 0.0, events=(before,)) as begun:
        assert begun._as_asked()["stopping"]["rung"] == 0.0
        begun.only_confirm = True
        assert begun._as_asked()["stopping"] == {"rung": 0.3}


def test_a_spent_limit_is_said_before_ray_starts(tmp_path, monkeypatch):
    with a_driver(tmp_path, monkeypatch, 30.0) as begun:
        assert begun.run() is False
    assert begun.ended_by_limit.startswith("time limit of 30 s reached after 3 trials")
    assert [event["event"] for event in begun.home.ledger.read()].count("end") == 0, "it spent nothing"


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (
            {"cpu_hours": 0.005},
            "budget.cpu_hours of 0.005 CPU h is spent (0.00667 CPU h) after 3 trials; run with a larger",
        ),
        (
            {"money": 1.0, "prices": PricesConfig(200.0, 0.0, "EUR")},
            "budget.money of 1 EUR is spent (1.33 EUR) after 3",
        ),
    ],
)
@pytest.mark.parametrize("events", [({**OPEN, "params": IN_SPACE},), ()])
def test_spent_hours_and_money_are_said_before_ray_starts(tmp_path, monkeypatch, budget, said, events):
    """Twelve stages of two seconds on a core each, of a ledger that says only what was waited for."""
    with a_driver(tmp_path, monkeypatch, 0.0, events=events, **budget) as begun:
        assert begun.run() is False
        assert begun.ended_by_limit.startswith(said)
        assert begun.confirming.left() == [], "nothing is left for confirming either"
        kinds = [event["event"] for event in begun.home.ledger.read()]
        assert ("reference" in kinds) is False, "ten trials settle it"


def test_trials_leave_of_hours_what_confirming_takes(tmp_path, monkeypatch):
    """Two runs of four stages of two seconds, and not more than the share."""
    with a_driver(tmp_path / "much", monkeypatch, 0.0, seeds=3, cpu_hours=1.0) as begun:
        assert begun.spending._limits[0].kept == pytest.approx(16.0 / 3600.0)
    opened = [{**OPEN, "params": IN_SPACE}]
    with a_driver(tmp_path / "little", monkeypatch, 0.0, seeds=3, events=opened, cpu_hours=0.008) as begun:
        assert begun.spending._limits[0].kept == pytest.approx(0.004)
        assert begun.spending.for_no_trial() is False, "an open trial goes on"
        assert begun.spending.enough(4) is True


def test_trials_leave_time_for_confirming_as_much_as_it_takes_and_not_more_than_its_share(tmp_path, monkeypatch):
    with a_driver(tmp_path / "long", monkeypatch, 4000.0, seeds=3) as begun:
        assert begun.spending.limit.kept_s == pytest.approx(16.0, rel=0.1)  # two runs of four stages of two seconds
        assert begun.spending.whole_limit.left_s - begun.spending.limit.left_s == pytest.approx(
            begun.spending.limit.kept_s, abs=0.01
        )
    with a_driver(tmp_path / "short", monkeypatch, 20.0, seeds=3) as begun:
        assert begun.spending.limit.kept_s == 10.0
    with a_driver(tmp_path / "off", monkeypatch, 4000.0) as begun:
        assert begun.spending.limit.kept_s == 0.0


def test_a_larger_limit_goes_on(tmp_path, monkeypatch):
    with a_driver(tmp_path, monkeypatch, 40.0) as begun, pytest.raises(AssertionError, match="Ray was started"):
        begun.run()
    assert begun.ended_by_limit == ""
    assert isinstance(begun.recipe, Recipe)


def test_work_that_hangs_beyond_all_grace_is_left(monkeypatch):
    for name in ("GRACE_S", "MEASURE_S", "SPARE_S"):
        monkeypatch.setattr(time_limit, name, 0.1)
    before, began_s = signal.getsignal(signal.SIGALRM), time.monotonic()

    def library():
        with contextlib.suppress(Exception):
            time.sleep(60.0)

    with pytest.raises(TimeUp), TimeLimit(1.0, 1e6).enforced():
        library()
    assert time.monotonic() - began_s < 20.0
    assert signal.getsignal(signal.SIGALRM) == before
    with TimeLimit(0.0, 0.0).enforced():
        assert signal.getsignal(signal.SIGALRM) == before, "no limit, no alarm"


def test_another_thread_may_say_that_it_is_time():
    threading.Timer(0.5, time_limit.ring).start()
    with pytest.raises(TimeUp), TimeLimit(0.0, 0.0).enforced():
        time.sleep(30.0)
    assert not callable(signal.getsignal(time_limit.BELL))
    time_limit.ring()  # and where nobody waits nothing happens


def test_an_alarm_of_somebody_else_goes_on_afterwards():
    rest_s, _ = signal.getitimer(signal.ITIMER_REAL)  # that of pytest's own limit, if there is one
    with TimeLimit(100.0, 0.0).enforced():
        time.sleep(0.01)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(rest_s, abs=1.0)


def test_ctrl_c_says_what_is_waited_for():
    hung = RunSnapshot("dense", 3, begun=True, done=7, epochs=40, seconds=512.0, quiet_s=480.0)
    queued = dataclasses.replace(hung, trial=4, begun=False)
    told = finishing([hung, queued])
    assert told.startswith("finishing 1 running stage; Ctrl-C again to abort (the same command carries on)")
    assert told.endswith("waiting for trial 3 dense 7/40 9 min (no heartbeat for 8 min)")
    assert finishing([queued]).startswith("stopping; ")


@pytest.mark.parametrize("limit_s", [9e9, 1e10, 1e300])
def test_a_limit_beyond_any_clock_is_none(limit_s):
    before = signal.getsignal(signal.SIGALRM)
    with TimeLimit(limit_s, 0.0).enforced():
        assert signal.getsignal(signal.SIGALRM) == before


def stage(**fields):
    return RunSnapshot("dense", 0, **fields)


@pytest.mark.parametrize(
    ("runs", "alone", "expected"),
    [
        ([], True, False),
        ([], False, False),
        ([stage(begun=True), stage()], True, True),
        ([stage(elsewhere="another driver")], True, True),
        ([stage()], True, False),  # nobody else holds what it needs: its worker hangs before it begins
        ([stage()], False, True),  # a cluster may be full
    ],
)
def test_what_waits_while_nothing_runs_hangs(runs, alone, expected):
    assert at_work(runs, alone=alone) == expected
