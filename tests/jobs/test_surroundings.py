"""Commands in odd surroundings: output that is closed or unread, a user without a name, paths at home."""

import argparse
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

import jobs
from jobs.command import run
from jobs.surroundings import expand, settle
from tuner.errors import UsageError
from tuner.search.driver.interrupts import STOPPING

ROOT = Path(jobs.__file__).parents[1]
TALKS = """
import argparse, sys
from jobs.command import run
made = argparse.ArgumentParser()
made.add_argument("--debug", action="store_true")
def body(_):
    for _ in range(100_000):
        print("a line that somebody may read")
    return 0
sys.exit(run(made, body, []))
"""

WAITS = """
import sys, time
from jobs.command import run
from jobs.output import terminal
from jobs.parsing import make_parser as parser
from tuner.base import steps
from tuner.base.progress import ConsoleProgress
steps.LINE_EVERY_S = 0.05
def body(_):
    with ConsoleProgress(terminal()).step("working"):
        time.sleep(float(sys.argv[1]))
    terminal().print("done")
    return 0
sys.exit(run(parser("waits.py", "", "", search=False), body, [], tells=True))
"""


def test_output_that_nobody_reads_ends_a_command_without_a_word():
    talk = subprocess.Popen([sys.executable, "-c", TALKS], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert talk.stdout is not None
    assert talk.stderr is not None
    talk.stdout.readline()
    talk.stdout.close()
    assert talk.stderr.read() == b""
    talk.stderr.close()
    assert talk.wait(60) == 141


SHORT = {
    "commands": ["--help"],
    "version": ["--version"],
    "help": ["front", "--help"],
    "fields": ["search", "--help-recipe"],
    "document": ["list", "--store", "nowhere", "--json"],
    "table": ["list", "--store", "nowhere"],
}


@pytest.mark.slow
@pytest.mark.parametrize("words", SHORT.values(), ids=SHORT)
def test_what_nobody_reads_to_its_end_is_left_without_a_word(words, tmp_path):
    """Also what fits into one buffer, which Python would write at its end only."""
    reading, writing = os.pipe()
    os.close(reading)
    code = "import sys; sys.argv[0] = 'qpm-tuner'; import jobs; sys.exit(jobs.main())"
    arguments = [sys.executable, "-c", code, *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    try:
        left = subprocess.run(
            arguments, cwd=tmp_path, env=environment, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=100
        )
    finally:
        os.close(writing)
    assert left.stderr == b""
    assert left.returncode in (0, 141), "argparse prints its help as far as somebody reads it"


@pytest.mark.parametrize(
    "words", [SHORT[name] for name in SHORT if name != "help"], ids=[n for n in SHORT if n != "help"]
)
def test_an_output_that_is_full_is_an_error_in_three_parts(words, tmp_path):
    """Of `front --help` argparse itself passes over it."""
    code = "import sys; sys.argv[0] = 'qpm-tuner'; import jobs; sys.exit(jobs.main())"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("w") as full:
        arguments = [sys.executable, "-c", code, *words]
        left = subprocess.run(
            arguments, cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert left.returncode == 1
    assert b"No space left on device" in left.stderr
    assert [line.split(b":")[0].strip() for line in left.stderr.splitlines()] == [b"error", b"expected", b"to do"]


@pytest.mark.slow
def test_an_error_keeps_its_exit_code_where_nobody_reads_its_document():
    reading, writing = os.pipe()
    os.close(reading)
    arguments = [sys.executable, "-m", "jobs.front", "--naem", "x", "--json"]
    try:
        left = subprocess.run(arguments, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=100)
    finally:
        os.close(writing)
    assert left.stderr.startswith(b"error: unknown option --naem\n")
    assert left.returncode == 2


def test_a_reader_that_goes_in_the_middle_of_a_step_ends_it():
    """The step is told by a thread of its own, and the main thread would work on for nobody."""
    arguments = [sys.executable, "-c", WAITS, "60"]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as step:
        assert step.stdout.readline() == "working ...\n"
        step.stdout.close()
        assert step.stderr.read() == f"{STOPPING}\n"
        assert step.wait(30) == 141


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_defect(closed, tmp_path):
    """A file that took the number of a closed stream would be written into by whoever prints."""
    script = WAITS.replace("import sys, time", "import sys, time, os").replace(
        "    return 0", f"    assert os.open({str(tmp_path / 'ledger')!r}, os.O_CREAT) > 2\n    return 0"
    )
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", script, "0.2"]
    done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("done\n") == (">&-" not in closed.split())


def test_a_text_that_the_terminal_cannot_show_is_escaped():
    code = TALKS.replace('"a line that somebody may read"', '"V\\u00f6gel \\udcff"').replace("100_000", "1")
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, env=environment)
    assert done.stdout == b"V\\xf6gel \\udcff\n"


def test_a_locale_without_utf8_reads_plus_and_minus():
    code = "from jobs.surroundings import settle; settle(); print('98.9 ±0.7 × 2 … ü')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert shown.stdout == b"98.9 +-0.7 x 2 ... \\xfc\n"


def test_a_broken_pipe_that_is_not_the_output_is_an_error(capsys):
    made = argparse.ArgumentParser()
    made.add_argument("--debug", action="store_true")

    def body(_: argparse.Namespace) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    assert run(made, body, []) == 1
    assert "Broken pipe" in capsys.readouterr().err


def test_a_user_without_an_entry_gets_a_name(monkeypatch):
    def gone(uid: int) -> None:
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", gone)
    monkeypatch.setenv("LOGNAME", "")
    settle()
    assert os.environ["LOGNAME"] == f"uid-{os.getuid()}"


def test_paths_at_home_are_expanded_where_the_shell_leaves_them(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    parsed = argparse.Namespace(out="~/x.html", export="a/~", model=None, name="~/x")
    expand(parsed)
    assert vars(parsed) == {"out": f"{tmp_path}/x.html", "export": "a/~", "model": None, "name": "~/x"}
    with pytest.raises(UsageError, match="--out=~no-such-user"):
        expand(argparse.Namespace(out="~no-such-user/x"))


def test_too_little_memory_is_no_defect(capsys):
    made = argparse.ArgumentParser()
    made.add_argument("--debug", action="store_true")

    def body(_: argparse.Namespace) -> int:
        raise MemoryError

    assert run(made, body, []) == 1
    assert "not enough memory" in capsys.readouterr().err
