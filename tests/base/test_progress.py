"""What a library function tells reaches whoever listens: nobody, a log, a console; and views are refreshed by all."""

import io
import logging
import time

import pytest
from rich.console import Console
from rich.text import Text

from tuner.base import steps
from tuner.base.notebook import usual_progress
from tuner.base.progress import ConsoleProgress, LogProgress, Silent


class Counter:
    """A view that counts how often it was refreshed."""

    n = 0

    def refresh(self):
        self.n += 1

    def news(self):
        """A line at every fifth refresh, as if something happened then."""
        return [f"{self.n} [b]times"] if self.n % 5 == 0 else []

    def render(self, width, height):
        return Text(f"{self.n} [b]times"[:width])


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(steps, "REFRESH_S", 0.01)
    monkeypatch.setattr(steps, "LINE_EVERY_S", 0.02)


def refreshed(progress, times=3):
    view = Counter()
    with progress.live(view):
        while view.n < times:
            time.sleep(0.005)
    ended = view.n
    time.sleep(0.05)
    assert view.n == ended, "it goes on after the block"


def test_who_tells_nothing_refreshes_all_the_same(capsys):
    silent = Silent()
    silent.say("a fact")
    silent.warn("a warning")
    with silent.step("working") as step:
        step.count(1, 2)
    refreshed(silent)
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_facts_warnings_steps_and_views(caplog):
    log = LogProgress(every_s=0.02)
    with caplog.at_level(logging.INFO, "tuner"):
        log.say("100 % done")
        log.warn("a warning")
        with log.step("working"):
            while "still working, 0 s" not in caplog.messages:
                time.sleep(0.005)
        refreshed(log, 10)
    assert ("tuner", logging.INFO, "100 % done") in caplog.record_tuples
    assert ("tuner", logging.WARNING, "a warning") in caplog.record_tuples
    assert "working ..." in caplog.messages
    lines = [message for message in caplog.messages if message.endswith("[b]times")]
    assert lines[:2] == ["5 [b]times", "10 [b]times"], "its news, not a line at every refresh"


@pytest.mark.parametrize("lively", [False, True])
def test_a_console_shows_a_view(lively):
    console = Console(file=io.StringIO(), width=80, force_terminal=lively, _environ={"TERM": "xterm"})
    refreshed(ConsoleProgress(console), 20)
    assert "[b]times" in console.file.getvalue()
    assert ("\x1b" in console.file.getvalue()) == lively


def test_a_script_without_a_terminal_logs():
    assert isinstance(usual_progress(), LogProgress)
