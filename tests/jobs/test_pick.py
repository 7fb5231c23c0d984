"""What `jobs.pick` writes and refuses: a look leaves no trace, a choice that failed neither."""

import json

import pytest

from jobs import front, pick, status
from tests.ledgers import finished, home_with, trial_events
from tuner.search.record.home import SearchHome
from tuner.search.watch.summary import status as status_of


@pytest.fixture
def home(tmp_path) -> SearchHome:
    return home_with(tmp_path / "runs", finished())


def address(home):
    return ["--store", home.store.url, "--name", home.name]


def picks(home):
    return [event for event in home.ledger.read() if event["event"] == "pick"]


def run(home, capsys, *arguments):
    code = pick.main([*address(home), *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--knee"],
        ["--within", "1", "accuracy"],
        ["--at-most", "n_features=20", "--json"],
        ["--knee", "--choose", "--dry-run"],
        ["--trial", "1", "--register", "--dry-run", "--json"],
    ],
)
def test_a_look_leaves_no_trace(home, capsys, tmp_path, arguments):
    before = status_of(home)
    code, out, _ = run(home, capsys, *arguments)
    assert code == 0
    assert "rial 1 " in out or '"trial": 1' in out
    assert picks(home) == []
    assert status_of(home) == before
    assert run(home, capsys, *arguments, "--dry-run", "--export", str(tmp_path / "x"))[0] == 0
    assert not (tmp_path / "x").exists()
    assert picks(home) == []


def test_a_choice_is_remembered_and_takes_no_search_time(home, capsys):
    elapsed = status_of(home)["elapsed_s"]
    assert elapsed == 31
    assert run(home, capsys, "--knee", "--choose")[0] == 0
    assert [event["trial"] for event in picks(home)] == [1]
    assert status_of(home)["pick"]["trial"] == 1
    assert status_of(home)["elapsed_s"] == elapsed


@pytest.mark.parametrize("asked", [["--export", "x"], ["--register"], ["--choose", "--export", "x"]])
def test_a_choice_that_failed_is_not_remembered(home, capsys, tmp_path, monkeypatch, asked):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(home, capsys, "--knee", *asked)  # there is no model in this store
    assert code == 1
    assert out == ""
    assert "to do:" in err
    assert picks(home) == []


def test_a_folder_that_cannot_take_a_model_is_refused_before_anything_is_done(home, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run(home, capsys, "--export", str(tmp_path / "file"), "--dry-run")
    assert (code, "is not a folder" in err) == (2, True)
    code, _, err = run(home, capsys, "--export", str(tmp_path), "--register")
    assert (code, "is not empty" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trial", "9"], "one of 0, 1, 2"),
        (
            ["--trial", "0", "--at-most", "accuracy=96"],
            "trial 0 with accuracy 96.1235, which misses accuracy at most 96 by 0.1235",
        ),
        (["--knee", "--order", "accuracy"], "knee and order are 2 rules"),
        (["--weights", "accuracy=1"], "leave out interpretability"),
        (["--at-most", "accuracy=90", "--at-least", "accuracy=92"], "accuracy at least 92 and at most 90"),
        (["--aspire", "accuracy=90", "accuracy=92"], "accuracy=90 and accuracy=92"),
        (["--aspire", "acuracy=90"], "did you mean 'accuracy'?"),
        (["--at-least", "test/accuracy", "90"], "limit accuracy instead"),
        (["--at-least", "accuracy"], "--at-least accuracy"),
        (["--within", "0.1", "accuracy", "--within", "0.1", "interpretability"], "the nearest is trial 1"),
        (["--knee", "--objectives", "beauty"], "objective 'beauty' is unknown"),
        (["--within", "-1", "accuracy"], "the distance is -1.0"),
        (["--within", "nan", "accuracy"], "the distance is nan"),
        (["--within", "accuracy", "1"], "--within accuracy 1"),
        (["--within", "1", "acuracy"], "did you mean 'accuracy'?"),
        (["--within", "1", "sid5"], "'sid5' is not an objective"),
        (["--at-most", "width"], "NAME=NUMBER"),
        (["--at-most", "=3"], "NAME=NUMBER"),
        (["--at-most", "width=much"], "NAME=NUMBER"),
        (["--at-most", "width=inf"], "NAME=NUMBER"),
        (["--at-most", "widht=3"], "did you mean 'width'?"),
        (["--at-most", "width=3"], "the nearest is trial"),
    ],
)
def test_what_makes_no_sense_is_refused_in_three_parts(home, capsys, arguments, said):
    code, out, err = run(home, capsys, *arguments, "--choose")
    assert (code, out) == (2, "")
    assert said in err
    assert "expected:" in err
    assert "to do:" in err
    assert picks(home) == []


def test_of_two_limits_the_lower_one_counts(home, capsys):
    _, out, _ = run(home, capsys, "--at-most", "n_features=10", "--at-most", "n_features = 30", "--json")
    assert json.loads(out)["trial"] == 0


def test_trials_without_the_objective_are_not_called_incomplete(tmp_path, capsys):
    home = home_with(tmp_path, finished(), "objectives=[accuracy, sid5]")
    code, _, err = run(home, capsys, "--knee")
    assert code == 1
    assert "none of the 3 complete trials of search 'made-up' has a finite value of all of accuracy, sid5" in err
    empty = home_with(tmp_path / "empty", trial_events(0, {}, outcome="failed"))
    assert "no complete trial yet" in run(empty, capsys)[2]


def test_a_pick_says_that_it_violates_the_constraints_and_how_many_do(tmp_path, capsys):
    home_with(tmp_path, finished(), "constraints=[accuracy >= 99]")
    assert pick.main(["--store", str(tmp_path), "--name", "made-up", "--knee"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "It violates accuracy >= 99: none of the 3 complete trials satisfies accuracy >= 99, so the front" in words


def test_a_pick_within_the_constraints_says_nothing_of_them(tmp_path, capsys):
    home_with(tmp_path, finished(), "constraints=[accuracy >= 95]")
    assert pick.main(["--store", str(tmp_path), "--name", "made-up", "--knee"]) == 0
    assert "violates" not in capsys.readouterr().out


def test_one_objective_is_picked_by_its_best(tmp_path, capsys):
    home = home_with(tmp_path, finished(), "objectives=[accuracy]")
    code, out, _ = run(home, capsys, "--knee", "--choose")
    assert code == 0
    assert out.startswith("Trial 0 is the best of the front in accuracy (96.1 ± 1.1 %, n = 288); with one objective")
    assert len(picks(home)) == 1


def test_json_holds_errors_program_and_alternatives(home, capsys):
    document = json.loads(run(home, capsys, "--knee", "--json")[1])
    assert document["errors"]["accuracy"] == pytest.approx(1.23, abs=0.01)
    assert document["program"]["gap"] == 0.004
    assert document["alternatives"] == []
    assert front.main([*address(home), "--json"]) == 0
    members = json.loads(capsys.readouterr().out)["members"]
    assert [m["program"]["status"] for m in members] == ["optimal", "gap", "deadline"]
    assert all(set(m["errors"]) == {"accuracy"} for m in members)
    assert status.main([*address(home), "--json"]) == 0
    programs = json.loads(capsys.readouterr().out)["programs"]
    assert [p["program"]["bound"] for p in programs] == [338.2335, 311.742, 305.16625]


def test_an_old_ledger_shows_what_it_has(tmp_path, capsys):
    home = home_with(tmp_path, finished(old=True))
    code, out, _ = run(home, capsys, "--knee")
    assert (code, "± 0" in out, "noise unknown" in out) == (0, False, True)
    assert status.main(address(home)) == 0
    printed = capsys.readouterr().out
    assert "gap %" not in printed
    assert "±" not in printed
    assert front.main([*address(home), "--json"]) == 0
    assert [m["program"] for m in json.loads(capsys.readouterr().out)["members"]] == [None] * 3


def test_the_width_is_that_of_columns(home, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert status.main(address(home)) == 0
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if "made-up" not in line]
    assert max(map(len, table)) <= 80
    assert any("not shown in 80 columns" in line for line in lines)
    assert any("stopped by the clock" in line for line in lines)
