"""Ctrl-C: answered at once wherever the main thread is, gentle at first where that is possible, never a traceback."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import jobs
from tuner.search.driver import interrupts
from tuner.search.driver.interrupts import ABORTING, CLOSING, STOPPING, Interrupts

FINISHING = "finishing 2 running stages"


def press(number=signal.SIGINT):
    """A signal to this process, and time for Python to notice."""
    os.kill(os.getpid(), number)
    time.sleep(0.05)


def answers(capsys, expected):
    """Whether this and nothing else is said, at least in the end: another thread says it."""
    said, deadline = "", time.monotonic() + 30
    while said.splitlines() != expected and time.monotonic() < deadline:
        time.sleep(0.02)
        said += capsys.readouterr().err
    return said.splitlines() == expected


def test_the_first_asks_the_second_aborts_a_third_is_harmless(capsys):
    with Interrupts() as heard:
        with heard.gently(lambda: FINISHING):
            press()
            assert heard.asked
            assert answers(capsys, [FINISHING])
            with pytest.raises(KeyboardInterrupt):
                press()
        press()
        press()
        assert answers(capsys, [ABORTING, CLOSING, CLOSING])


def test_elsewhere_the_first_stops_and_after_a_gentle_end_too(capsys):
    with Interrupts() as heard:
        with pytest.raises(KeyboardInterrupt):
            press()
        assert answers(capsys, [STOPPING])
        assert not heard.asked
    with Interrupts() as heard:
        with heard.gently(lambda: FINISHING):
            press()
        with pytest.raises(KeyboardInterrupt):
            press()
        assert answers(capsys, [FINISHING, STOPPING])


def test_sigterm_aborts_since_a_kill_follows(capsys):
    with Interrupts() as heard, heard.gently(lambda: FINISHING), pytest.raises(KeyboardInterrupt):
        press(signal.SIGTERM)
    assert answers(capsys, [ABORTING])


def test_signals_are_left_as_they_were():
    before = [signal.getsignal(number) for number in interrupts.HEARD]
    with Interrupts():
        assert [signal.getsignal(number) for number in interrupts.HEARD] != before
    assert [signal.getsignal(number) for number in interrupts.HEARD] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_command_within_another_program_leaves_its_signals_as_they_were(monkeypatch, capsys, tmp_path):
    """Also one that takes its words from `sys.argv`: the program goes on after it, and hears its own signals."""
    assert not jobs.IS_PROGRAM
    before = [signal.getsignal(number) for number in interrupts.HEARD]
    monkeypatch.setattr(sys, "argv", ["qpm-tuner", "list", "--store", str(tmp_path)])
    assert jobs.main() == 0
    assert [signal.getsignal(number) for number in interrupts.HEARD] == before


@pytest.mark.slow
def test_it_is_answered_while_the_main_thread_is_deep_in_c(monkeypatch):
    """Python runs signal handlers between two bytecodes; libraries spend seconds within one."""
    busy = threading.Event()
    answered_while_busy = []

    class Screen(io.StringIO):
        def write(self, text):
            answered_while_busy.append(busy.is_set())
            return super().write(text)

    monkeypatch.setattr(sys, "stderr", Screen())
    timer = threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT))
    with Interrupts() as heard, heard.gently(lambda: FINISHING):
        timer.start()
        busy.set()
        hashlib.pbkdf2_hmac("sha256", b"deep", b"in C", 3_000_000)
        busy.clear()
    assert sys.stderr.getvalue() == f"{FINISHING}\n"
    assert answered_while_busy[0]


def test_in_another_thread_nobody_listens():
    failures = []

    def run():
        try:
            with Interrupts() as heard:
                assert not heard.asked
        except ValueError as error:  # signals belong to the main thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failures


HANGS = """
import os, signal, time
from tuner.search.driver import interrupts
interrupts.CLOSING_S = 0.5
with interrupts.Interrupts():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    finally:
        time.sleep(60)
"""
EARLY = """
import os, signal, sys, time
sys.argv[0] = "qpm-tuner"
import jobs
os.kill(os.getpid(), signal.SIGINT)
time.sleep(60)
"""
LATE = """
import os, signal, sys
sys.argv = ["qpm-tuner"]
from jobs.command import run
from jobs.parsing import make_parser
code = run(make_parser(__file__, "", "", search=False), lambda arguments: 0)
os.kill(os.getpid(), signal.SIGINT)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [(HANGS, 130, STOPPING), (EARLY, 130, "interrupted"), (LATE.replace("__file__", "'late.py'"), 0, "")],
    ids=["closing-that-hangs", "before-the-command-listens", "after-the-command-has-ended"],
)
def test_no_traceback_at_either_end_and_no_end_that_hangs(script, code, said):
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731  also where the tests ignore it
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, preexec_fn=heard, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
