"""Whatever stands in a ledger: commands read the rest, and the next driver arrives where it would have arrived."""

import copy
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.turns import N_CLASSES, Entries, begin, copy_of, entries_of, recipe_of, retold, same, turn
from tuner.search.record.events import Picked, Proposed
from tuner.search.record.home import SearchHome

KINDS = ("search", "trial", "outcome", "test")
JUNK = [
    None,
    True,
    -1,
    -0.5,
    "",
    "soon",
    "NaN",
    "../..",
    "/etc/passwd",
    "\ud800",
    "\x1b[2J",
    [],
    [1],
    {},
    {"a": []},
    10**18,
]
JUNK += [10**400, 10**5000, 1e308]
RAW = [b"", b"{", b"null", b"[]", b"[[1]]", b"3", b'"text"', b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 100_000, b"{}"]
RAW += [b'{"event":"trial","event":"trial"}', b'{"event":"trial","time_s":NaN}', b'{"event":"x"}', b"x" * 5_000_000]


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_disks():
    """Many small stores are written, and none has to outlive its test."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda descriptor: None)
        yield


class Whole(NamedTuple):
    home: SearchHome
    entries: Entries

    def __repr__(self):
        return "whole"  # for hypothesis prints what a test was given


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search of two turns, the second with a larger budget, and its ledger."""
    home = begin(tmp_path_factory.mktemp("whole"), "budget.trials=5")
    turn(home, "budget.trials=5", ends=3)
    turn(home)
    return Whole(home, entries_of(home))


@st.composite
def damages(draw, n_entries):
    """An entry of the ledger, and what becomes of it."""
    position = draw(st.integers(0, n_entries - 1))
    how = draw(st.sampled_from(["gone", "torn", "raw", "lacks", "junk"]))
    where = draw(st.integers(0, 1000))
    return position, how, where, draw(st.sampled_from(RAW if how == "raw" else JUNK))


def spoilt(entry, how, where, junk):
    """The entry with its damage; None: it is gone."""
    key, data = entry
    if how == "gone":
        return None
    if how == "torn":
        return key, data[: where % len(data)]
    if how == "raw":
        return retold(key, junk)
    event = json.loads(data)
    spots = list(paths(event))
    *path, last = spots[where % len(spots)]
    inner = event
    for step in path:
        inner = inner[step]
    if how == "lacks":
        del inner[last]
    else:
        inner[last] = copy.deepcopy(junk)
    text = json.dumps(event).replace("1e+308", "1e400") if junk == 1e308 else dumps(event)
    return retold(key, text.encode())


def dumps(event):
    """As JSON, also with more digits than Python prints."""
    huge = 10**5000
    text = json.dumps(event, default=str) if not holds(event, huge) else json.dumps(swapped(event, huge))
    return text.replace('"HUGE"', "1" + "0" * 5000)


def holds(value, wanted):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(item == wanted or holds(item, wanted) for item in inner)


def swapped(value, wanted):
    if isinstance(value, dict):
        return {name: swapped(item, wanted) for name, item in value.items()}
    if isinstance(value, list):
        return [swapped(item, wanted) for item in value]
    return "HUGE" if value == wanted else value


def paths(event, depth=3):
    """Where something can be missing or wrong so that it can be noticed: not single metrics, which may lack, and not
    settings of a recipe, which only MLflow shows."""
    for name, value in event.items() if isinstance(event, dict) else enumerate(event):
        yield (name,)
        inner = isinstance(value, dict | list) and name not in ("recipe", "versions", "values", "program")
        if depth and inner:
            yield from ((name, *rest) for rest in paths(value, depth - 1))


def with_damage(entries, damage):
    position, *rest = damage
    changed = spoilt(entries[position], *rest)
    return [*entries[:position], *([changed] if changed else []), *entries[position + 1 :]]


@pytest.mark.slow
@given(damage=damages(25))
@settings(max_examples=25, deadline=None)
def test_one_damaged_entry_of_any_kind_changes_nothing_in_the_end(whole, damage):
    home, entries = whole
    assert len(entries) == 25 + 1
    root = Path(tempfile.mkdtemp())
    try:
        found = copy_of(root, with_damage(entries, damage), "budget.trials=5")
        before = found.state()
        assert before.elapsed_s <= home.state().elapsed_s + 1
        found.front()
        proposed = turn(found)
        assert len(proposed) <= 1
        same(found, home)
        assert turn(found) == []
    finally:
        shutil.rmtree(root)


def changed(entries, position, **fields):
    """The ledger with other fields in one event."""
    key, data = entries[position]
    event = json.loads(data) | fields
    return [*entries[:position], retold(key, json.dumps(event).encode()), *entries[position + 1 :]]


def position_of(entries, kind, trial=None):
    """Where an event stands in a ledger."""
    events = [json.loads(data) for _, data in entries]
    return next(i for i, e in enumerate(events) if e["event"] == kind and e.get("trial") == trial)


def params_of(entries, trial):
    return json.loads(entries[position_of(entries, "trial", trial)][1])["params"]


WRONG = [
    {"n_features": 11},
    {"n_features": 35},
    {"n_features": 20.0},
    {"n_features": "20"},
    {"features_per_class": 7},
    {"features_per_class": True},
    {"width": 64},
    {"l1": 99.0},
    {"l1": "0.5"},
    {"n_features": 5, "features_per_class": 5},  # one subset for ten classes
    {"seed": 1},
    {"beauty": 3},
    {"l1": None},
]


@pytest.mark.parametrize(("trial", "wrong"), [((0, 3, 4, 7)[i % 4], wrong) for i, wrong in enumerate(WRONG)])
def test_a_proposal_that_the_proposer_cannot_have_made_is_made_again(whole, tmp_path, trial, wrong):
    home, entries = whole
    params = {name: value for name, value in (params_of(entries, trial) | wrong).items() if value is not None}
    position = position_of(entries, "trial", trial)
    found = copy_of(tmp_path, changed(entries, position, params=params), "budget.trials=5")
    publish_bank(found)
    state = found.state()
    assert trial not in state.trials
    key = sorted(found.store.list(found.ledger.prefix))[position]
    assert key in [damage.key for damage in state.damage]
    assert turn(found) == [trial]
    same(found, home)


def publish_bank(home):
    """Its manifest says how many classes there are."""
    folder = Path(tempfile.mkdtemp())
    (folder / "bank").write_text("tokens")
    home.artifacts.publish("banks", "bank", folder, {"n_classes": N_CLASSES})
    shutil.rmtree(folder)


def test_parameters_that_follow_from_the_recipe_may_lack_as_earlier_versions_left_them(whole, tmp_path):
    home, entries = whole
    params = {name: value for name, value in params_of(entries, 3).items() if name != "seed"}
    found = copy_of(tmp_path, changed(entries, position_of(entries, "trial", 3), params=params), "budget.trials=5")
    assert found.state().damage == []
    same(found, home)


@pytest.mark.parametrize("lost", [(2, 3, 6), (0, 1, 2, 3, 4, 5, 6, 7), (1, 7)])
def test_several_lost_proposals_are_made_again_as_they_were(whole, tmp_path, lost):
    """Trials 0 to 3 were proposed by a turn of five trials, and are made again by one of eight."""
    home, entries = whole
    positions = [position_of(entries, "trial", trial) for trial in lost]
    kept = [(key, b"" if i in positions else data) for i, (key, data) in enumerate(entries)]
    found = copy_of(tmp_path, kept, "budget.trials=5")
    assert found.state().missing(8) == list(lost)
    assert turn(found) == list(lost)
    same(found, home)
    assert all(damage.settled for damage in found.state().damage)


def test_of_two_proposals_of_a_trial_the_first_counts(whole, tmp_path):
    home, entries = whole
    found = copy_of(tmp_path, entries, "budget.trials=5")
    found.append(Proposed(time.time(), 3, params_of(entries, 3)))  # the same once more: nothing to say
    assert found.state().damage == []
    found.append(Proposed(time.time(), 3, params_of(entries, 4)))
    assert ["once more, with other parameters" in damage.reason for damage in found.state().damage] == [True]
    same(found, home)


@pytest.mark.parametrize("trial", [8, 9, 500, 999_999, 10**18, -1])
def test_trials_that_were_never_asked_for_are_left_out(whole, tmp_path, trial):
    home, entries = whole
    proposal, outcome = (json.loads(entries[position_of(entries, kind, 3)][1]) for kind in ("trial", "outcome"))
    found = copy_of(tmp_path, entries, "budget.trials=5")
    for event in (proposal, outcome):
        found.ledger.append(event | {"trial": trial})
    assert len(found.state().damage) == 2
    assert turn(found) == []
    same(found, home)


def test_a_second_outcome_of_a_trial_adds_nothing(whole, tmp_path):
    home, entries = whole
    found = copy_of(tmp_path, entries, "budget.trials=5")
    found.ledger.append(json.loads(entries[position_of(entries, "outcome", 3)][1]) | {"values": {"accuracy": 1.0}})
    same(found, home)


FUTURE = 9e9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("time_s", [FUTURE, 1e17, 0, 5.0])
def test_a_time_that_cannot_be_spoils_neither_search_time_nor_order(whole, tmp_path, kind, time_s):
    home, entries = whole
    position = position_of(entries, kind, None if kind == "search" else 2)
    found = copy_of(tmp_path, changed(entries, position, time_s=time_s), "budget.trials=5")
    state = found.state()
    assert state.elapsed_s == pytest.approx(home.state().elapsed_s, abs=0.5)
    assert [trial.number for trial in state.finished()] == [trial.number for trial in home.state().finished()]
    assert all(0 <= trial.ended_at < FUTURE for trial in state.finished())
    assert ["days after it was written" in damage.reason for damage in state.damage] == [True] * (time_s >= FUTURE)
    same(found, home)


def shifted(entries, by_s, position):
    """The ledger with a pause before one of its entries."""
    moved = []
    for i, (key, data) in enumerate(entries):
        event = json.loads(data)
        folder, _, name = key.rpartition("/")
        if i < position:  # the other ones would be of a day to come
            event["time_s"] -= by_s
            name = f"{int(name[:20]) - int(by_s * 10**9):020d}{name[20:]}"
        moved.append(retold(f"{folder}/{name}", json.dumps(event).encode()))
    return moved


@pytest.mark.parametrize("data", [b"", b"[]", b'{"event":"search"}', b'{"event":"search","time_s":"x"}'])
def test_the_pause_before_a_turn_whose_start_is_damaged_takes_no_time(whole, tmp_path, data):
    home, entries = whole
    position = [i for i, (_, data) in enumerate(entries) if b'"event":"search"' in data][1]
    moved = shifted(entries, 30 * 86_400.0, position)
    moved[position] = retold(moved[position][0], data) if data else (moved[position][0], b"")
    found = copy_of(tmp_path, moved, "budget.trials=5")
    assert found.state(recipe_of()).elapsed_s == pytest.approx(home.state().elapsed_s, abs=0.5)


def test_the_pause_takes_no_time_where_another_driver_is_at_work_and_its_start_is_gone(whole, tmp_path):
    home, entries = whole
    position = [i for i, (_, data) in enumerate(entries) if b'"event":"search"' in data][1]
    moved = shifted(entries, 30 * 86_400.0, position)
    events = [(key, json.loads(data)) for key, data in moved]
    told = [
        retold(key, json.dumps(event | {"token": "a" if i < position else "b", "term": 1 + (i >= position)}).encode())
        for i, (key, event) in enumerate(events)
    ]
    del told[position]
    assert copy_of(tmp_path, told).state(recipe_of()).elapsed_s == pytest.approx(home.state().elapsed_s, abs=0.5)


def test_a_choice_of_a_trial_without_a_model_hides_no_earlier_one(whole, tmp_path):
    _, entries = whole
    found = copy_of(tmp_path, entries, "budget.trials=5")
    found.append(Picked(time.time(), 5, "because"))
    for junk in ({"trial": 77}, {"trial": "5"}, {"reason": None}, {"trial": 10**18}):
        found.ledger.append({"event": "pick", "time_s": time.time(), "trial": 5, "reason": "x"} | junk)
    state = found.state()
    assert (state.pick.trial, state.pick.reason) == (5, "because")
    assert len(state.damage) == 4
    found.store.put(entries[position_of(entries, "trial", 5)][0], b"")
    found = SearchHome(found.store, found.name)
    assert found.state().pick is None
    turn(found)
    assert found.state().pick.trial == 5


def test_a_baseline_that_is_damaged_is_measured_again(whole, tmp_path):
    found = copy_of(tmp_path, whole.entries, "budget.trials=5")
    good = {"event": "baseline", "time_s": time.time(), "name": "a", "note": "", "split": "test", "values": {"a": 1.0}}
    for junk in ({"name": 3}, {"values": []}, {"values": {"a": "x"}}, {"note": None}, {"split": "../x"}):
        found.ledger.append(good | junk)
    assert found.state().baselines == []
    found.ledger.append(good)
    assert [baseline.values for baseline in found.state().baselines] == [{"a": 1.0}]
