"""Ray that is slow to start is given another chance, and told of in three parts."""

import contextlib
import signal
import time
from typing import Any

import pytest

from tuner.errors import TunerError
from tuner.search.session import connect
from tuner.search.session.connect import ATTEMPTS

LATE = "The current node timed out during startup. This could happen because ..."


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the next so many starts fail with a message; no machine is slow on demand."""
    left: list[str] = []

    def init(*_: Any, **__: Any) -> None:
        if left:
            raise Exception(left.pop())

    monkeypatch.setattr("ray.init", init)
    return left


def test_a_late_start_is_tried_again(fail: list[str]) -> None:
    fail += [LATE] * (ATTEMPTS - 1)
    connect._join("local", {})
    assert fail == []


def test_no_start_is_told(fail: list[str]) -> None:
    fail += [LATE] * (ATTEMPTS + 1)
    with pytest.raises(TunerError, match="did not start in 3 attempts") as caught:
        connect._join("local", {})
    assert "less busy" in caught.value.todo
    assert len(fail) == 1


def test_another_failure_is_not_repeated(fail: list[str]) -> None:
    fail += ["out of file handles"] * 2
    with pytest.raises(TunerError, match="out of file handles") as caught:
        connect._join("local", {})
    assert len(fail) == 1
    assert "qpm-tuner doctor" in caught.value.todo


def test_a_start_that_hangs_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> None:
        for _ in range(600):
            with contextlib.suppress(Exception):  # as Ray's own attempts do
                time.sleep(0.1)

    monkeypatch.setattr("ray.init", hang)
    monkeypatch.setattr(connect, "JOIN_S", 0.3)
    began, heard = time.monotonic(), signal.getsignal(signal.SIGALRM)
    with pytest.raises(TunerError, match=r"RAY_ADDRESS=127.0.0.1:1 takes longer than 0.3 s"):
        connect._join("127.0.0.1:1", {})
    assert time.monotonic() - began < 10
    assert signal.getsignal(signal.SIGALRM) == heard
