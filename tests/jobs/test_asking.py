"""A person at a terminal is shown the candidates and asked; a script is told which rule to add."""

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

import jobs
from jobs import pick
from jobs.asking import WHICH
from tests.ledgers import COUNTS, finished, home_with, trial_events
from tuner.base import steps

LINE_EVERY_S = steps.LINE_EVERY_S
ROOT = Path(jobs.__file__).parents[1]


@pytest.fixture
def home(tmp_path):
    return home_with(tmp_path / "runs", finished())


def address(home):
    return ["--store", home.store.url, "--name", home.name]


def at_a_terminal(command, typed, prompt=None):
    """What is shown by a command at a terminal where this is typed, and its exit code.

    Where it is typed at a prompt, it is typed late: a person takes time.
    """
    main, side = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", *command], stdin=side, stdout=side, stderr=side, cwd=ROOT,
        env=os.environ | {"COLUMNS": "80", "TERM": "xterm"}, start_new_session=True,
    )  # fmt: skip
    os.close(side)
    shown = b""
    while prompt and prompt.encode() not in shown:
        shown += os.read(main, 4096)
    time.sleep(1.5 * LINE_EVERY_S if prompt else 0)
    os.write(main, typed.encode())
    while True:
        try:
            shown += os.read(main, 4096)
        except OSError:  # the other side is closed
            break
    os.close(main)
    return done.wait(), shown.decode()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_person_is_asked_and_asked_again(home):
    code, shown = at_a_terminal(["jobs.pick", *address(home), "--choose"], "seven\n9\n2\n", WHICH)
    assert code == 0
    assert "at work" not in shown.partition(WHICH)[2]
    assert "the best in accuracy" in shown
    assert "'seven' is no complete trial; those above are 1, 0, 2" in shown
    assert "'9' is no complete trial" in shown
    assert "Trial 2 was chosen by its number" in " ".join(shown.split())
    assert [event["trial"] for event in home.ledger.read() if event["event"] == "pick"] == [2]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_no_answer_is_no_choice(home):
    code, shown = at_a_terminal(["jobs.pick", *address(home), "--choose"], "\n")
    assert code == 1
    assert "nothing was chosen" in shown
    assert not [event for event in home.ledger.read() if event["event"] == "pick"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_front_is_watched_on_the_whole_terminal_and_stays_at_the_end(home):
    code, shown = at_a_terminal(["jobs.front", *address(home), "--watch"], "")
    assert code == 0
    assert "\x1b[?1049h" in shown  # the screen that leaves what was there before
    before, _, after = shown.partition("\x1b[?1049l")
    assert "3 of 40 trials ended" in before
    assert "on the front, hypervolume" in after
    assert "nobody drives the search" in after


def test_a_script_is_shown_them_and_told_what_to_add(home, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for more in ([], ["--choose"], ["--objectives", "interpretability", "accuracy"]):
        assert pick.main([*address(home), *more]) == 2
        printed = capsys.readouterr()
        assert "the knee" in printed.out
        assert "+0.6 ±1.7" in printed.out
        assert max(map(len, printed.out.splitlines())) <= 80
        assert "no rule says which of the 3 models on the front to take" in printed.err
        assert "--knee takes trial 1" in printed.err
    assert not [event for event in home.ledger.read() if event["event"] == "pick"]


def test_as_json_it_is_one_document_with_the_error(home, capsys):
    assert pick.main([*address(home), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert [c["trial"] for c in document["candidates"]] == [1, 0, 2]
    assert document["candidates"][0]["price"] is None
    assert document["candidates"][1]["price"]["differences"]["accuracy"]["beyond_noise"] is False
    assert document["candidates"][1]["test"]["n_images"] == 360
    assert set(document["error"]) == {"what", "expected", "todo"}


def test_where_there_is_nothing_to_choose_between_it_is_taken(tmp_path, capsys):
    home = home_with(tmp_path / "one", trial_events(0, {"accuracy": 90.0, "interpretability": 50.0, **COUNTS}))
    assert pick.main(address(home)) == 0
    assert capsys.readouterr().out.startswith("Trial 0 is the only member of the front")
