"""A misspelled word is answered with the one that was meant; programs get errors as JSON, with the same exit code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import jobs
from jobs import explain, front, list, pick, search, status
from tests.ledgers import finished, home_with
from tuner import __version__
from tuner.base.spelling import did_you_mean, some_of

ROOT = Path(jobs.__file__).parents[1]


def refused(capsys, code, words):
    """The three parts, as lines and as JSON, which must agree."""
    assert code == 2
    told = capsys.readouterr()
    if "--json" in words:
        parts = json.loads(told.out)["error"]
        assert told.err == f"error: {parts['what']}\n  expected: {parts['expected']}\n  to do:    {parts['todo']}\n"
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 3
    return told.err


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["lines", "json"])
@pytest.mark.parametrize(
    ("command", "words", "meant"),
    [
        (status, ["--nmae", "x"], "--name"),
        (front, ["--name", "x", "--objektives", "accuracy"], "--objectives"),
        (pick, ["--name", "x", "--at-mots=width=3"], "--at-most"),
        (list, ["--stroe", "runs"], "--store"),
    ],
    ids=["required", "optional", "with-value", "list"],
)
def test_an_option(command, words, meant, more, capsys):
    told = refused(capsys, command.main([*words, *more]), more)
    assert f"did you mean '{meant}'?" in told


@pytest.mark.parametrize(("word", "meant"), [("serch", "search"), ("--verison", "--version"), ("EXPLAIN", "explain")])
def test_a_command(word, meant, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["qpm-tuner", word])
    assert f"did you mean '{meant}'?" in refused(capsys, jobs.main(), [])


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--recipe", "digit"], "digits"),
        (["--recipe", "digits", "protocol=papper"], "paper"),
        (["--recipe", "digits", "data.name=digitz"], "digits"),
        (["--recipe", "digits", "dense.epoch=3"], "dense.epochs"),
        (["--recipe", "digits", "objectives=[acuracy]"], "accuracy"),
    ],
    ids=["recipe", "choice", "data-set", "field", "metric"],
)
def test_a_name_in_a_recipe(words, meant, capsys, tmp_path):
    code = search.main(["--store", str(tmp_path), "--name", "x", *words])
    assert f"did you mean '{meant}'?" in refused(capsys, code, words)


def test_the_name_of_a_search(capsys, tmp_path):
    home = home_with(tmp_path, finished())
    words = ["--store", str(tmp_path), "--name", home.name[:-1], "--json"]
    assert f"did you mean '{home.name}'?" in refused(capsys, status.main(words), words)


@pytest.mark.parametrize(
    ("given", "todo"),
    [
        ("made-uq", "did you mean 'made-up'? Else add --recipe digits to start"),
        ("other", "add --recipe digits to start 'other'"),
    ],
)
def test_a_search_to_carry_on_that_is_none_is_refused_before_anything_is_loaded(given, todo, capsys, tmp_path):
    home_with(tmp_path, finished())
    assert search.main(["--store", str(tmp_path), "--name", given]) == 2
    told = capsys.readouterr()
    assert "loading libraries" not in told.out
    assert "a recipe to start it with" in told.err
    assert todo in told.err


def test_what_cannot_be_explained_is_refused_before_anything_is_loaded():
    code = "import sys; from jobs import explain; explain.main([]); print(*({'torch', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.startswith("error: no model is given\n")
    assert done.stdout.split() == []


@pytest.mark.parametrize("command", [list, status], ids=["list", "status"])
def test_a_store_that_is_a_file(command, capsys, tmp_path):
    (tmp_path / "runs").write_text("")
    words = ["--store", str(tmp_path / "runs"), "--json", *([] if command is list else ["--name", "x"])]
    assert f"the store {tmp_path}/runs is a file" in refused(capsys, command.main(words), words)


def test_a_word_is_escaped_once(capsys, monkeypatch):
    assert list.main(["\x1b[31mred"]) == 2
    assert capsys.readouterr().err.startswith("error: '\\x1b[31mred' is unexpected\n")
    monkeypatch.setattr("sys.argv", ["qpm-tuner", "w\udcff"])
    assert jobs.main() == 2
    assert capsys.readouterr().err.startswith("error: unknown command 'w\\udcff'\n")


def test_only_what_can_be_a_name_is_offered(capsys, tmp_path):
    home = home_with(tmp_path, finished())
    (tmp_path / "searches" / home.name).rename(tmp_path / "searches" / "kept")
    for name in ("a name", "-x"):
        shutil.copytree(tmp_path / "searches" / "kept", tmp_path / "searches" / name)
    assert "one of kept\n" in refused(capsys, status.main(["--store", str(tmp_path), "--name", "other"]), [])


def test_an_error_of_the_surroundings_is_json_as_well_with_its_own_exit_code(capsys, tmp_path):
    missing = tmp_path / "none"
    assert explain.main(["--model", str(missing), "photo.png", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert str(missing) in error["what"]
    assert set(error) == {"what", "expected", "todo"}


def test_the_version(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["qpm-tuner", "--version"])
    assert jobs.main() == 0
    assert capsys.readouterr().out == f"qpm-tuner {__version__}\n"
    with pytest.raises(SystemExit) as ended:
        front.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"qpm-tuner {__version__}\n"


def test_nothing_is_guessed_where_nothing_is_near():
    assert did_you_mean("zebra", ["accuracy", "width"], "look them up") == "look them up"
    assert did_you_mean("", [], "look them up") == "look them up"
    assert some_of(map(str, range(14))).endswith("10, 11 and 2 more")
