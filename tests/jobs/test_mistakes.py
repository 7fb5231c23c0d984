"""A misspelled word is answered with the one that was meant; programs get errors as JSON, with the same exit code."""

import json

import pytest

import jobs
from jobs import explain, front, list, pick, search, status
from tests.ledgers import finished, home_with
from tuner import __version__
from tuner.base.spelling import did_you_mean, some_of


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
