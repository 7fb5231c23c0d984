"""An odd override ends the command in three lines or does nothing to it, and never as a defect of the program."""

import subprocess
import sys
from pathlib import Path

import pytest

from jobs import extract, search

ODD = [
    "title=2026-11-25", "title=12:30", "title=${oc.env:HOME}", "title=[a", "space=[]", "space=2026-11-25",
    "space={l1: 3}",
    "objectives=[[a]]", "objectives=[2026-11-25]", "objectives={a: b}", "dense=[]", "dense.lr=2026-11-25", "seed=true",
    "space.dense.lr={low: 0, high: 1e308, step: 1e-300}", "budget.trials=1e400", "tracking=[[[]]]", "data.root=\x1b[2J",
    "space=" + "[" * 5000, "tracking.uri=http://a:b@c", "=", "", "space.=1", "backbone.weights=https://h/?sig=x",
]  # fmt: skip
NO_DATA = "data.name=folder"  # without data.root: what is taken is refused for this, before anything runs


@pytest.mark.parametrize("command", [search, extract])
@pytest.mark.parametrize("override", ODD)
def test_an_odd_override_is_taken_or_refused_in_three_parts(command, override, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = ["--name", "odd"] if command is search else []
    code = command.main(["--recipe", "digits", "--store", str(tmp_path / "runs"), *name, NO_DATA, override])
    told = capsys.readouterr().err
    assert code == 2
    assert told.count("\n") >= 3
    assert "expected:" in told
    assert "defect" not in told


@pytest.mark.slow
def test_as_a_process_of_its_own(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "jobs.search",
        "--recipe",
        "digits",
        "--store",
        str(tmp_path),
        "--name",
        "odd",
        NO_DATA,
    ]
    run = subprocess.run([*words, "title=2026-11-25"], check=False, capture_output=True, text=True)
    assert run.returncode == 2
    assert "data.root" in run.stderr
    assert "Traceback" not in run.stderr
