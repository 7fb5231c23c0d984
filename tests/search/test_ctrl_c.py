"""A real search on a real terminal, and Ctrl-C typed into it: no silence, an answer at once, nothing lost."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.drivers import PATIENCE_S, command
from tests.searches import run_tiny
from tuner.search.interrupts import ABORTING

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

CTRL_C = b"\x03"
AT_ONCE_S = 1.0  # on a machine that is busy with the search itself
LONGER = ("dense.epochs=12", "finetune.epochs=12", "budget.trials=3")
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
def terminal(store: Path, *overrides: str) -> Iterator[Terminal]:
    made = Terminal(command(str(store), overrides or LONGER))
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.kill(made.pid, signal.SIGKILL)


def made(store: Path, stage: str) -> int:
    return len(list(store.glob(f"stages/{stage}/*/manifest.json")))


def test_once_lets_the_stage_end_twice_aborts_and_the_same_command_carries_on(tmp_path):
    with terminal(tmp_path) as once:
        once.wait_for(rb"dense [1-9]/12")
        once.type(CTRL_C)
        assert once.wait_for(FINISHING) < AT_ONCE_S
        assert once.wait() == 130
    assert b"the same command carries on" in once.seen
    assert b"Traceback" not in once.seen
    assert (made(tmp_path, "dense"), made(tmp_path, "assign")) == (1, 0), "what ran ended, and nothing else began"

    with terminal(tmp_path) as twice:
        twice.wait_for(rb"finetune [1-9]/12")
        twice.type(CTRL_C)
        assert twice.wait_for(FINISHING) < AT_ONCE_S
        twice.type(CTRL_C)
        assert twice.wait_for(ABORTING.encode()) < AT_ONCE_S
        twice.type(CTRL_C)
        assert twice.wait() == 130
    assert b"Traceback" not in twice.seen

    result, _ = run_tiny(tmp_path, "tiny", *LONGER)
    assert result.state.counts() == {"complete": 3}
    assert result.state.reuse()["dense"]["runs"] == 0, "the dense stage is that of the first start"


def test_no_silence_without_a_terminal(tmp_path):
    """Three seconds on a quiet machine; tests run on busy ones."""
    started = time.monotonic()
    arguments = command(str(tmp_path), ("budget.trials=2",))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as search:
        lines = [(time.monotonic() - started, line) for line in search.stdout]
        assert search.wait(PATIENCE_S) == 0
    silences = [(now - before, line) for (before, _), (now, line) in zip([(0.0, ""), *lines], lines, strict=False)]
    assert max(silences)[0] < 9.0, max(silences)
    text = "".join(line for _, line in lines)
    for step in ("loading libraries", "reading the data", "starting Ray", "on the test split", "writing", "MLflow"):
        assert f"{step}" in text


def test_sigterm_ends_at_once_and_says_how_to_go_on(tmp_path):
    arguments = command(str(tmp_path), LONGER)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as search:
        text = ""
        for line in search.stdout:
            if "0/3 trials | front 0" in line and "trials |" not in text:
                search.terminate()
            text += line
        assert search.wait(PATIENCE_S) == 130
    assert ABORTING in text
    assert "Traceback" not in text
