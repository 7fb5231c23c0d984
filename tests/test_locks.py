"""Whoever waits for a file lock says so within seconds: which file, and who has it."""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner.base import locks
from tuner.search.execute import stage_task
from tuner.store import StoreError, local, open_store
from tuner.store.disk import locked

HOLD = """
import fcntl, os, sys, time
file = os.open(sys.argv[1], os.O_RDONLY | (0 if os.path.isdir(sys.argv[1]) else os.O_CREAT))
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WORD_AFTER_S", 0.1)
    monkeypatch.setattr(locks, "WORD_EVERY_S", 0.2)
    monkeypatch.setattr(local, "_LOCK_PATIENCE_S", 0.6)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock of a store."""
    path = tmp_path / "store" / ".lock"
    path.parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path, "token=canary", "s3://canary"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_wait_for_a_stores_lock_is_told_and_ends(
    tmp_path: Path, holder: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(tmp_path / "store")
    store.put("x", b"1")
    stat = store.stat("x")
    assert stat is not None
    with pytest.raises(StoreError) as caught:
        store.replace("x", b"2", stat.version)
    for text in (caught.value.what, caplog.messages[0]):
        assert str(tmp_path / "store" / ".lock") in text
        assert f"pid {holder.pid} ({sys.executable[:40]}" in text
        assert "canary" not in text
    assert caught.value.expected
    assert caught.value.todo
    assert len(caplog.messages) >= 2, "it is said again"
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert store.get("x") == b"1"


def test_a_stopped_holder_is_said_to_be_stopped(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while "which is stopped" not in (said := locks.holder_of(tmp_path / "store" / ".lock")):
        assert time.monotonic() < deadline, said
        time.sleep(0.01)


def test_who_waits_for_long_work_gets_it_in_the_end(
    tmp_path: Path, holder: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    ender = threading.Timer(1.0, holder.kill)
    ender.start()
    with locked(tmp_path / "store" / ".lock") as mine:
        assert mine
    assert len(caplog.messages) >= 3
    assert caplog.messages[-1].endswith("is free now")
    caplog.clear()
    with locked(tmp_path / "store" / ".lock"):
        assert caplog.messages == [], "nobody waits, nothing is said"


def test_a_word_reaches_standard_error_without_any_setting(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    wait = (
        "import sys; from pathlib import Path; from tuner import locks; from tuner.store.disk import locked\n"
        "locks.WORD_AFTER_S = 0.1\n"
        "try:\n with locked(Path(sys.argv[1]), patience_s=0.5): pass\nexcept Exception as error: print(error)"
    )
    words = [sys.executable, "-c", wait, str(tmp_path / "store" / ".lock")]
    done = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert f"held by pid {holder.pid}" in done.stderr
    assert "expected" in done.stdout


def test_threads_and_unknown_holders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    with locked(path):
        assert locks.holder_of(path) == f"pid {os.getpid()} (this process itself)"
        with locked(path, wait=False) as mine:
            assert not mine
        monkeypatch.setattr(locks, "_holders", lambda file: iter([]))
        assert "unknown" in locks.holder_of(path)
        monkeypatch.setattr(locks, "_holders", lambda file: iter([0]))
        assert "another container" in locks.holder_of(path)
    assert "unknown" in locks.holder_of(tmp_path / "none")


def test_a_folder_can_be_locked_as_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As the extraction of features does."""
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        descriptor = os.open(tmp_path, os.O_RDONLY)
        assert not locks.take(descriptor, tmp_path, 0.3)
        process.kill()
    assert f"pid {process.pid}" in caplog.messages[0]
    assert locks.take(descriptor, tmp_path)
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def test_a_wait_is_told_to_the_broker_too(
    tmp_path: Path, holder: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's log is in Ray's folder, where nobody reads it."""
    monkeypatch.setattr(stage_task, "PULSE_S", 0.05)
    monkeypatch.setattr(local, "_LOCK_PATIENCE_S", 60.0)
    told: list[str] = []
    store = open_store(tmp_path / "store")
    store.put("x", b"1")
    stat = store.stat("x")
    assert stat is not None
    threading.Timer(1.0, holder.kill).start()
    with stage_task._pulsed(lambda: None, told.append):
        store.replace("x", b"2", stat.version)
        time.sleep(0.2)
    assert told[0].startswith(f"waiting for the lock {tmp_path / 'store' / '.lock'}, held by pid {holder.pid} (")
    assert told[-1] == locks.waits() == ""


def test_a_wait_that_was_given_up_is_none(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(StoreError), locked(tmp_path / "store" / ".lock", patience_s=0.5):
        raise AssertionError(holder)
    assert locks.waits() == ""
