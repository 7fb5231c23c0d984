"""Ray that is slow to start is given another chance, and told of in three parts."""

from typing import Any

import pytest

from tuner.errors import TunerError
from tuner.search import connect
from tuner.search.connect import ATTEMPTS

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
    with pytest.raises(Exception, match="out of file handles"):
        connect._join("local", {})
    assert len(fail) == 1
