"""Drivers as processes of their own: the tiny search by the command people use, to be killed, stopped and looked at."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.searches import TINY

SLOWER = ("dense.epochs=8", "finetune.epochs=8", "budget.trials=3")
PATIENCE_S = 240  # on a machine with other things to do

Start = Callable[..., subprocess.Popen[bytes]]


def command(store: str, overrides: Sequence[str] = SLOWER, name: str = "tiny") -> list[str]:
    """The search command; `store` is a folder or a URL."""
    module = [sys.executable, "-m", "jobs.search", "--recipe", "digits"]
    return [*module, "--store", store, "--name", name, *TINY, *overrides]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts drivers, and ends whatever of them is left."""
    drivers = []

    def starter(
        store: Path | str, *overrides: str, environment: dict[str, str] | None = None, name: str = "tiny"
    ) -> subprocess.Popen[bytes]:
        drivers.append(
            subprocess.Popen(
                command(str(store), overrides or SLOWER, name),
                start_new_session=True,
                cwd=Path(__file__).parents[1],
                env={**os.environ, **(environment or {})},
            )
        )
        return drivers[-1]

    yield starter
    for driver in drivers:
        driver.kill()
        driver.wait()


def wait_until(reached: Callable[[], bool], driver: subprocess.Popen[bytes]) -> None:
    """Wait until a driver that goes on running has got somewhere."""
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert driver.poll() is None, "the driver ended before it got there"
        assert time.monotonic() < deadline
        time.sleep(0.02)
