"""A real search on a real terminal, and Ctrl-C typed into it: no silence, an answer at once, nothing lost."""

import os
import pty
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.drivers import PATIENCE_S, command
from tuner.base.steps import LONGEST_S
from tuner.search.driver.interrupts import ABORTING, STOPPING

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

CTRL_C = b"\x03"
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"
BUSY_S = 30.0  # what a machine that does other things may take until a line that is due is there
AT_ONCE_S = 6.0  # on a machine that is busy with the search itself, and in CI with another test
TERMINAL_SILENCE_S = 3.0 + BUSY_S  # people begin to wonder after three seconds
LOG_SILENCE_S = LONGEST_S + BUSY_S  # what a log is promised
SMALL = ("backbone.n_atoms=16", "backbone.grid=4")
SLOW = (*SMALL, "dense.epochs=60", "finetune.epochs=30", "budget.trials=2")
CUT_OFF = (*SLOW, "tracking.enabled=false")  # MLflow is not waited for where nothing ends
FINISHING = re.compile(rb"finishing [12] running stages?; Ctrl-C again to abort")


class Terminal:
    """A search on a terminal of its own, 80 columns wide."""

    def __init__(self, arguments: list[str]) -> None:
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            os.chdir(Path(__file__).parents[2])
            os.execve(arguments[0], arguments, {**os.environ, "TERM": "xterm", "COLUMNS": "80"})
        self.seen = b""
        self.silences: list[float] = []
        self._heard_s = time.monotonic()

    def read(self, timeout_s: float) -> bool:
        """Read what is there; False at the end."""
        if not select.select([self._end], [], [], timeout_s)[0]:
            return True
        try:
            piece = os.read(self._end, 65536)
        except OSError:  # the other end is closed
            piece = b""
        now = time.monotonic()
        self.silences.append(now - self._heard_s)
        self._heard_s = now
        self.seen += piece
        return piece != b""

    def wait_for(self, pattern: re.Pattern[bytes] | bytes) -> float:
        """Read until it says so; returns how long that took."""
        since, start = time.monotonic(), len(self.seen)
        while not re.search(pattern, self.seen[start:]):
            assert self.read(0.05), self.seen[-2000:]
            assert time.monotonic() - since < PATIENCE_S, self.seen[-2000:]
        return time.monotonic() - since

    def type(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def wait(self) -> int:
        while self.read(PATIENCE_S):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def terminal(store: Path) -> Iterator[Terminal]:
    made = Terminal(command(str(store), CUT_OFF))
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.kill(made.pid, signal.SIGKILL)


def made(store: Path, stage: str) -> int:
    return len(list(store.glob(f"stages/{stage}/*/manifest.json")))


def printed(store: Path, overrides: tuple[str, ...], on: Callable[[str, subprocess.Popen[str]], None]) -> str:
    """What a search prints where there is no terminal, never silent for longer than promised; `on` hears each line."""
    text, before = "", time.monotonic()
    arguments = command(str(store), overrides)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as search:
        for line in search.stdout:
            silence, before = time.monotonic() - before, time.monotonic()
            assert silence < LOG_SILENCE_S, (silence, text[-500:], line)
            on(line, search)
            text += line
        text += f"exit code {search.wait(PATIENCE_S)}"
    return text


def test_once_lets_the_stage_end_twice_aborts_and_the_same_command_carries_on(tmp_path):
    with terminal(tmp_path) as once:
        once.wait_for(rb"dense [0-9]+/60")
        once.type(CTRL_C)
        assert once.wait_for(FINISHING) < AT_ONCE_S
        assert once.wait() == 130
    assert b"the same command carries on" in once.seen
    assert b"Traceback" not in once.seen
    assert max(once.silences) < TERMINAL_SILENCE_S
    assert (made(tmp_path, "dense"), made(tmp_path, "assign")) == (1, 0), "what ran ended, and nothing else began"

    with terminal(tmp_path) as twice:
        twice.wait_for(rb"finetune [0-9]+/30")
        twice.type(CTRL_C)
        assert twice.wait_for(FINISHING) < AT_ONCE_S
        twice.type(CTRL_C)
        assert twice.wait_for(ABORTING.encode()) < AT_ONCE_S
        twice.type(CTRL_C)
        assert twice.wait() == 130
    assert b"Traceback" not in twice.seen
    assert twice.seen.rfind(SHOW_CURSOR) > twice.seen.rfind(HIDE_CURSOR)

    text = printed(tmp_path, SLOW, lambda line, search: None)
    assert text.endswith("exit code 0")
    for step in ("loading libraries", "starting Ray", "on the test split", "writing", "MLflow", "done: 2 complete"):
        assert step in text
    assert made(tmp_path, "dense") == 1, "the dense stage is that of the first start"


@pytest.mark.parametrize(
    ("at", "times", "answer"),
    [
        ("still starting Ray", 50, STOPPING),  # a scheduler that insists
        pytest.param("0/2 trials", 1, ABORTING, marks=pytest.mark.long),
    ],
)
def test_sigterm_ends_at_once_and_says_how_to_go_on(at, times, answer, tmp_path):
    """Ray has a handler of its own while it starts, and another one while it closes."""

    def insist(search):
        for _ in range(times):
            search.terminate()
            time.sleep(0.2)

    def terminate(line, search):
        if at in line and not scheduler:
            scheduler.append(threading.Thread(target=insist, args=(search,)))
            scheduler[0].start()

    scheduler: list[threading.Thread] = []
    text = printed(tmp_path, CUT_OFF, terminate)
    scheduler[0].join()
    assert text.endswith("exit code 130"), text
    assert "reading the data" in text
    assert answer in text
    assert "the same command carries on" in text
    assert "Traceback" not in text
