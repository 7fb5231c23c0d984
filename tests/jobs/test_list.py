"""`qpm-tuner list`: the searches of a store, from their ledgers."""

import json
import resource
import shutil
import time

import pytest

from jobs import list as command
from tests.ledgers import finished, home_with
from tuner.search.record.events import Instructed
from tuner.search.record.holder import this_driver
from tuner.search.watch.listing import list_lines
from tuner.store import Lease, open_store


def started(objectives):
    """The events of a turn whose recipe is known."""
    events = finished()
    events[0]["recipe"] = {"data": {"name": "digits"}, "budget": {"trials": 5}, "objectives": objectives}
    return events


def document(root, capsys):
    assert command.main(["--store", str(root), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_what_is_told_of_a_search(tmp_path, capsys):
    home_with(tmp_path, started(["accuracy", "features_per_class", "interpretability:min", "no_such_thing"]))
    told = document(tmp_path, capsys)
    (search,) = told["searches"]
    assert told["store"] == str(tmp_path)
    assert time.time() - search.pop("last_event_s") < 100
    assert search == {
        "name": "made-up",
        "data": "digits",
        "ended": 3,
        "budget": 5,
        "best": {"accuracy": 96.12345, "features_per_class": 2, "interpretability": 60.98765},
        "driver": "",
        "damaged": 0,
        "state": "open",
        "open": 0,
        "front": 0,  # no trial has a value of the last objective
        "elapsed_s": 31.0,
        "stages_s": 24.0,
    }


def test_the_table_names_them_all(tmp_path, capsys):
    home_with(tmp_path, started(["accuracy"]))
    shutil.copytree(tmp_path / "searches" / "made-up", tmp_path / "searches" / "other")
    assert command.main(["--store", str(tmp_path)]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert " ".join(heading.split()) == "search data state trials front best time last event driver"
    assert [row.split()[:5] for row in rows] == [[name, "digits", "open", "3/5", "1"] for name in ("made-up", "other")]


@pytest.mark.parametrize(("trials", "state"), [(3, "complete"), (5, "open")])
def test_a_search_is_complete_running_paused_or_open(tmp_path, trials, state):
    events = started(["accuracy"])
    events[0]["recipe"]["budget"]["trials"] = trials
    home = home_with(tmp_path, events)
    assert list_lines(home.store)[0].state == state
    with Lease(home.store, home.name, this_driver()):
        assert list_lines(home.store)[0].state == "running"
        home.append(Instructed(200.0, 1, "pause", {}, "ada", 200.0, True, "paused"))
        assert list_lines(home.store)[0].state == "paused"


def test_a_store_without_searches_says_how_to_start_one(tmp_path, capsys):
    assert command.main(["--store", str(tmp_path)]) == 0
    assert "qpm-tuner search starts one" in capsys.readouterr().out
    assert document(tmp_path, capsys)["searches"] == []


def test_who_drives_it_and_only_while_it_does(tmp_path):
    home = home_with(tmp_path, started(["accuracy"]))
    with Lease(home.store, home.name, this_driver()):
        (line,) = list_lines(home.store)
        assert line.driver == this_driver().partition(" (")[0]
    (line,) = list_lines(home.store)
    assert line.driver == ""


def test_a_damaged_ledger_is_counted_and_hides_no_other_search(tmp_path):
    home = home_with(tmp_path, started(["accuracy"]))
    shutil.copytree(tmp_path / "searches" / home.name, tmp_path / "searches" / "other")
    entry = sorted((tmp_path / "searches" / home.name / "ledger").iterdir())[-1]
    entry.write_text("{")
    damaged, sound = list_lines(open_store(str(tmp_path)))
    assert (damaged.name, damaged.damaged, damaged.ended) == ("made-up", 1, 3)
    assert (sound.name, sound.damaged, sound.ended) == ("other", 0, 3)


def test_a_search_that_has_no_ledger_yet(tmp_path):
    home_with(tmp_path, [])
    (line,) = list_lines(open_store(str(tmp_path)))
    assert (line.data, line.ended, line.budget, line.best, line.last_event_s) == ("", 0, None, {}, None)


@pytest.mark.slow
def test_two_hundred_searches_take_a_few_seconds(tmp_path):
    """A recipe in YAML costs 20 ms or more: 200 would take 4 s."""
    home = home_with(tmp_path, started(["accuracy"]))
    for number in range(199):
        shutil.copytree(tmp_path / "searches" / home.name, tmp_path / "searches" / f"copy-{number}")
    before = resource.getrusage(resource.RUSAGE_SELF)
    assert len(list_lines(open_store(str(tmp_path)))) == 200
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3.0


def test_what_others_wrote_steers_no_terminal_and_hides_no_search(tmp_path, capsys):
    home = home_with(tmp_path, started(["accuracy", "\x1b[2J:max", "a b"]))
    home.ledger.append({"event": "search", "time_s": 200.0, "versions": {}, "recipe": {"data": {"name": "\x1b[2J"}}})
    for name in ("a b", "\x1b[2J", ".hidden"):
        (tmp_path / "searches" / name).mkdir()
        (tmp_path / "searches" / name / "recipe.yaml").write_text("")
    assert command.main(["--store", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.count("\n") == 2
    assert "\x1b" not in told
    assert [search["name"] for search in document(tmp_path, capsys)["searches"]] == ["made-up"]
