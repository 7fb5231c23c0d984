"""`qpm-tuner control` and `qpm-tuner trial`: what people type, and what they read."""

import json
import re
import time

import pytest

from jobs import control, trial
from jobs import list as listing
from tests.ledgers import finished, home_with, trial_events
from tuner.search.control.entries import folder
from tuner.search.control.now import Doing, Now, key_of, read_now
from tuner.search.execute.stage_log import StageLog, log_key, read_log
from tuner.search.record.events import Instructed
from tuner.search.record.holder import this_driver
from tuner.store import Lease, StoreError, open_store


@pytest.fixture
def home(tmp_path):
    failed = {"outcome": "failed", "stage": "dense", "cause": "the loss is not finite", "model": None}
    events = [*finished(), *trial_events(3, {}, **failed), trial_events(4, {})[0]]
    return home_with(tmp_path, events)


def named(home):
    return ["--store", home.store.url, "--name", home.name]


def told(command, home, *words, capsys):
    """Exit code, and what was printed."""
    code = command.main([*named(home), *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(
    ("words", "instruction"),
    [
        (["pause"], "pause"),
        (["resume"], "resume"),
        (["skip", "4"], "skip trial=4"),
        (["skip", "trial=4"], "skip trial=4"),
        (["budget", "60"], "budget trials=60"),
        (["budget", "trials=60"], "budget trials=60"),
        (
            ["add", "n_features=20", "assign.features_per_class=3", "width=128", "l1=1e-3"],
            "add n_features=20 features_per_class=3 width=128 l1=0.001",
        ),
    ],
)
def test_an_instruction_without_a_driver_waits_and_says_so(home, words, instruction, capsys):
    code, out, _ = told(control, home, *words, capsys=capsys)
    assert code == 0
    assert out.startswith(f"{instruction}: waiting: no driver runs: the next qpm-tuner search --store ")
    code, out, _ = told(control, home, "--json", capsys=capsys)
    (entry,) = json.loads(out)["instructions"]
    assert (entry["number"], entry["instruction"], entry["state"]) == (1, instruction, "waiting")
    assert "@" in entry["by"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["stop"], "has no driver, so nothing runs"),
        (["stop", "--now"], "has no driver"),
        (["frob"], "unknown instruction 'frob'"),
        (["stpo"], "did you mean 'stop'"),
        (["pause", "7"], "expected: pause alone"),
        (["pause", "--now"], "--now only with stop"),
        (["--now"], "--now without an instruction"),
        (["skip"], "expected: skip TRIAL"),
        (["skip", "seven"], "with a whole number"),
        (["skip", "2"], "trial 2 has ended already (complete)"),
        (["skip", "99"], "trial 99 has not begun"),
        (["budget", "0"], "no number of trials from 1 on"),
        (["budget", "-3"], "with a whole number"),
        (["add", "n_features"], "NAME=VALUE"),
        (["add", "n_features=20", "n_features=30"], "names n_features twice"),
        (["add", "n_features=many"], "a whole number"),
        (["add", "depth=3"], "no field that can be searched"),
        (["add", "n_features=20", "features_per_class=3", "width=100", "l1=0.1"], "width [128, 256]"),
        (["add", "n_features=10", "features_per_class=2", "width=256", "l1=0.001234567"], "trial 0 has these"),
    ],
)
def test_a_mistake_is_told_in_three_parts_and_nothing_is_written(home, words, error, capsys):
    code, out, err = told(control, home, *words, capsys=capsys)
    assert code == 2
    assert out == ""
    assert error in " ".join(err.split())
    assert [line.split(":")[0].strip() for line in err.splitlines()] == ["error", "expected", "to do"]
    assert list(home.store.list(folder(home.name))) == []


def test_with_a_driver_that_does_not_answer_it_says_that(home, capsys):
    with Lease(home.store, home.name, this_driver()):
        code, out, _ = told(control, home, "stop", "--wait", "0", capsys=capsys)
    assert code == 0
    assert out.startswith("stop: waiting: the driver, ")
    assert told(control, home, capsys=capsys)[1].splitlines()[0].split()[:3] == ["number", "given", "by"]


def test_all_trials_in_a_table(home, capsys):
    code, out, _ = told(trial, home, capsys=capsys)
    assert code == 0
    assert out.index("trial") < out.index("state") < out.index("on the front")
    rows = {int(found[1]): found[2] for found in re.finditer(r"^ +(\d) +(.*)$", out, re.MULTILINE)}
    assert list(rows) == [0, 1, 2, 3, 4]
    assert rows[0].startswith("on the front")
    assert "96.1 ±1.1" in rows[0]
    assert rows[3].startswith("failed")
    assert rows[4].startswith("open: no driver")


def test_a_trial_that_failed_says_why_and_how_to_run_it_again(home, capsys):
    log = StageLog()

    def train():
        with log.listening():
            log.epoch(1, 10, {"loss": 0.25, "nothing": float("nan")})
            raise ZeroDivisionError("in the middle of it")

    with pytest.raises(ZeroDivisionError):
        train()
    log.publish(home.store, "dense", "dense3")
    code, out, _ = told(trial, home, "3", capsys=capsys)
    assert code == 0
    assert out.startswith("trial 3 of search made-up: failed after 8 s\n")
    assert "cause in dense: the loss is not finite" in out
    assert "epoch 1/10 loss=0.25" in out
    assert "ZeroDivisionError: in the middle of it" in out
    assert "control --store" in out.splitlines()[-1]
    document = json.loads(told(trial, home, "3", "--json", "--log", "2", capsys=capsys)[1])
    assert (document["state"], document["stage"]) == ("failed", "dense")
    dense = document["stages"][0]
    assert (dense["stage"], dense["state"], dense["key"], len(dense["log"])) == ("dense", "failed", "dense3", 2)


def test_a_complete_trial_has_its_values_with_noise(home, capsys):
    code, out, _ = told(trial, home, "0", capsys=capsys)
    assert code == 0
    assert "complete after 8 s, on the front" in out
    assert "accuracy" in out
    assert "96.1 ±1.1" in out
    assert "n = 288 images" in out
    assert "--trial 0" in out.splitlines()[-1]


def test_an_open_trial_says_what_it_does_where_and_how_old_that_is(home, capsys):
    now = Now("4/16 trials", {4: Doing("dense 3/10 7 s", "dense", "lab7 pid 4711", 7.0)})
    home.store.put(key_of(home.name), json.dumps(now.to_json()).encode())
    code, out, _ = told(trial, home, "4", capsys=capsys)
    assert code == 0
    assert "trial 4 of search made-up: dense 3/10 7 s (" in out
    assert "it runs on lab7 pid 4711" in out
    assert out.splitlines()[-1].endswith("skip 4")
    document = json.loads(told(trial, home, "4", "--json", capsys=capsys)[1])
    assert [stage["state"] for stage in document["stages"]] == ["running", "not begun", "not begun", "not begun"]


def test_to_follow_a_trial_ends_with_it(home, capsys):
    code, out, err = told(trial, home, "0", "--follow", capsys=capsys)
    assert (code, err) == (0, "")
    assert "complete" in out
    assert told(trial, home, "--follow", capsys=capsys)[0] == 2


def test_there_is_no_such_trial(home, capsys):
    code, _, err = told(trial, home, "99", capsys=capsys)
    assert code == 2
    assert "no trial 99" in err
    assert "a trial from 0 to 4" in err


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"{}", b'{"summary": 7, "trials": {}}', b'{"summary": "x", "trials": []}', b" " * 1_000_001],
)
def test_a_damaged_file_of_what_runs_now_is_left_out(home, content, capsys):
    home.store.put(key_of(home.name), content)
    assert read_now(home.store, home.name) is None
    assert told(trial, home, "4", capsys=capsys)[0] == 0


def test_what_others_wrote_steers_no_terminal(home, capsys):
    content = {"summary": "\x1b[2J", "trials": {"4": {"words": "\x1b[2J here", "stage": 3}, "x": 1, "3": []}}
    home.store.put(key_of(home.name), json.dumps(content).encode())
    home.store.put(log_key("dense", "dense3"), b"\x1b[2J token=abc\n\xff\n")
    assert read_log(home.store, "dense", "dense3")[0].endswith("token=***")
    for words in (["4"], ["3"], []):
        assert "\x1b" not in told(trial, home, *words, capsys=capsys)[1]


def test_a_search_that_only_starts_is_listed_and_can_be_instructed(tmp_path, capsys):
    """Its driver has the lease, and reads the data or extracts features: an hour, where there are many."""
    place = ["--store", str(tmp_path), "--name", "far"]
    with Lease(open_store(str(tmp_path)), "far", this_driver(), 30.0):
        assert listing.main(["--store", str(tmp_path), "--json"]) == 0
        (line,) = json.loads(capsys.readouterr().out)["searches"]
        assert (line["name"], line["state"]) == ("far", "starting")
        assert control.main([*place, "stop", "--wait", "0"]) == 0
        assert capsys.readouterr().out.startswith("stop: waiting: the search is starting: its driver, ")
        assert control.main([*place, "add", "n_features=20", "--wait", "0"]) == 0
        capsys.readouterr()
        assert trial.main(place) == 2
        assert "search 'far' is starting: its driver, " in capsys.readouterr().err
    assert control.main([*place, "pause"]) == 2, "nobody drives it any more"


def test_an_answer_says_when_and_by_whom(home, capsys):
    home.append(Instructed(1_700_000_000.0, 1, "pause", {}, "ada@lab7", 1_699_999_999.0, True, "paused", None))
    code, out, _ = told(control, home, "--json", capsys=capsys)
    (entry,) = json.loads(out)["instructions"]
    assert (code, entry["answered_s"], entry["by"]) == (0, 1_700_000_000.0, "ada@lab7")


def test_the_log_of_a_stage_can_be_read_while_it_runs(home, monkeypatch):
    monkeypatch.setattr("tuner.search.execute.stage_log.LOCAL_S", 0.01)
    log, key = StageLog(), "k" * 32
    with log.published(home.store, "dense", key):
        log.epoch(1, 10, {"loss": 0.5})
        while not (lines := read_log(home.store, "dense", key)):
            time.sleep(0.01)
        assert "epoch 1/10 loss=0.5" in lines[-1]
        log.epoch(2, 10, {"loss": 0.4})
    assert "epoch 2/10" in read_log(home.store, "dense", key)[-1]


def test_a_store_that_refuses_the_log_of_a_stage_is_told_once(home, monkeypatch, caplog):
    def refuse(key, data):
        raise StoreError("the disk is full", "space", "make some")

    monkeypatch.setattr("tuner.search.execute.stage_log.LOCAL_S", 0.01)
    monkeypatch.setattr(home.store, "put", refuse)
    log = StageLog()
    with log.published(home.store, "dense", "k" * 32), log.listening():
        for epoch in range(5):
            log.epoch(epoch, 10, {"loss": 0.5})
            time.sleep(0.03)
    assert [record.getMessage() for record in caplog.records if "was not kept" in record.getMessage()] == [
        "the log of stage dense was not kept: the disk is full"
    ]


def test_the_time_of_a_stage_is_that_of_its_run_without_waiting(tmp_path, capsys):
    begun, ended = trial_events(0, {"accuracy": 90.0, "interpretability": 70.0})
    (first, *others) = ended["stages"]
    first |= {"reused": False, "seconds": 20.6, "saved_s": 0.0, "ran_s": 2.0, "cpus": 1.0, "gpus": 0.0}
    home = home_with(tmp_path, [begun, ended | {"stages": [first, *others]}])
    code, out, _ = told(trial, home, "0", "--json", capsys=capsys)
    stage = next(stage for stage in json.loads(out)["stages"] if stage["stage"] == first["stage"])
    assert (code, stage["seconds"], stage["waited_s"]) == (0, 2.0, pytest.approx(18.6))
