"""No silence: what a step prints while it blocks, on a terminal and in a log."""

import io
import sys
import time

import pytest
from rich.console import Console

from tuner.base import steps
from tuner.base.progress import ConsoleProgress, never_silent
from tuner.base.steps import Step


@pytest.fixture
def quick(monkeypatch):
    """A heart that beats fast enough for a test; the real one must beat within three seconds."""
    assert steps.LINE_EVERY_S < 3.0
    assert steps.REFRESH_S < 3.0
    monkeypatch.setattr(steps, "LINE_EVERY_S", 0.1)
    monkeypatch.setattr(steps, "REFRESH_S", 0.1)


def log():
    return Console(file=io.StringIO(), width=160)


def screen():
    return Console(file=io.StringIO(), width=80, force_terminal=True, _environ={"TERM": "xterm"})


def printed(console):
    return console.file.getvalue()


def blocks_until(console, text, times=1):
    """A step that takes as long as it takes to be told; a test that never sees it times out."""
    while printed(console).count(text) < times:
        time.sleep(0.02)


def test_lines_of_a_long_step_grow_rare():
    """Ten minutes of waiting are a few dozen lines in a log, and the first still come at once."""
    called, at = [], time.monotonic()
    with steps.repeated(0.01, lambda: called.append(time.monotonic() - at), most_s=0.08):
        time.sleep(0.5)
    assert 3 <= len(called) <= 20, "at even distances there would be 50"


def test_a_step_is_told_at_once_and_again_while_it_blocks(quick):
    console = log()
    with ConsoleProgress(console).step("reading [b]the data[/b]"):
        assert printed(console) == "reading [b]the data[/b] ...\n"
        blocks_until(console, "\nstill reading [b]the data[/b], 0 s\n", 2)
    lines = printed(console).splitlines()
    time.sleep(0.3)
    assert printed(console).splitlines() == lines, "it goes on after its end"


def test_it_ends_with_the_step_that_fails(quick):
    console = log()
    with pytest.raises(ValueError, match="broken"), ConsoleProgress(console).step("reading"):
        raise ValueError("broken")
    time.sleep(0.3)
    assert printed(console) == "reading ...\n"


def test_a_count_has_rate_and_rest_and_ignores_what_was_done_before(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(steps.time, "monotonic", lambda: clock[0])
    step = Step("extracting features")
    step.count(1000, 12_000)
    assert str(step) == "extracting features: 1,000 of 12,000 images, 0 s"
    clock[0] += 10
    step.count(1500, 12_000)
    assert str(step) == "extracting features: 1,500 of 12,000 images, 50 images/s, ETA 4 min, 10 s"


def test_a_terminal_shows_it_on_a_line_that_moves_and_goes_away(quick):
    console = screen()
    with ConsoleProgress(console).step("starting Ray") as step:
        blocks_until(console, "starting Ray, 0 s")
        step.at("almost there")
        blocks_until(console, "starting Ray: almost there, ")
    assert printed(console).endswith("\x1b[1A\x1b[2K"), "the line is wiped"


def test_a_terminal_that_cannot_move_gets_lines(quick):
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={"TERM": "dumb"})
    with ConsoleProgress(console).step("starting Ray"):
        blocks_until(console, "still starting Ray, ")


def test_what_a_command_answers_does_not_end_on_the_other_stream(quick, capsys, monkeypatch):
    console = Console(stderr=True, width=80, force_terminal=True, _environ={"TERM": "xterm"})
    with ConsoleProgress(console).step("writing"):
        print("the answer")
        assert sys.stdout.write("more\n")
    captured = capsys.readouterr()
    assert captured.out == "the answer\nmore\n"
    assert "writing" in captured.err


def test_a_quick_command_says_nothing_and_a_slow_one_that_it_is_at_work(quick):
    console = log()
    with never_silent(ConsoleProgress(console), "qpm-tuner pick"):
        pass
    assert printed(console) == ""
    with never_silent(ConsoleProgress(console), "qpm-tuner pick"):
        blocks_until(console, "qpm-tuner pick is at work, ")
