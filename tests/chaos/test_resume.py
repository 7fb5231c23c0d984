"""A driver killed at every event of the ledger, each time carried on by "another machine" from S3 alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.invariants import ledger_is_front_is_mlflow, manifests, nothing_half_written, nothing_ran_twice, same
from tests.searches import TINY, WITHOUT_MLFLOW, run_tiny
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]

TRIALS = 2
MOST_EVENTS = 3 * TRIALS  # proposal, outcome, and test metrics of each


def drive(url: str, machine: Path, uri: str, dies_after: int) -> tuple[int, str]:
    """Run the search command on a machine that knows nothing; returns its exit code and what it said."""
    machine.mkdir()
    words = [sys.executable, "-m", "tests.chaos.mortal_driver", str(dies_after)]
    words += ["--recipe", "digits", "--store", url, "--name", "tiny", *TINY, f"budget.trials={TRIALS}"]
    places = {"HOME": str(machine), "QPM_TUNER_CACHE": str(machine / "cache"), "MLFLOW_TRACKING_URI": uri}
    ended = subprocess.run(
        words,
        env={**os.environ, **places},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return ended.returncode, ended.stdout


def test_killed_at_every_event_and_carried_on_elsewhere(tmp_path, s3_url):
    uri, store = f"sqlite:///{tmp_path}/mlflow.db", open_store(s3_url)
    home, seen = SearchHome(store, "tiny"), {}
    for turn in range(MOST_EVENTS + 1):
        # A driver first says that it has started; each turn thus gets one event further, and dies there.
        code, said = drive(s3_url, tmp_path / f"machine{turn}", uri, dies_after=2)
        now = manifests(store)
        nothing_ran_twice(seen, now)
        seen = now
        if code != -signal.SIGKILL:
            break
        assert len(home.ledger.read()) == 2 * (turn + 1)
    assert code == 0, said
    assert turn >= 2 * TRIALS + 1  # killed after each proposal, each outcome, and at least one test of the front
    nothing_half_written(store, tmp_path / "fresh")
    ledger_is_front_is_mlflow(home, uri)

    straight, _ = run_tiny(tmp_path / "straight", "tiny", f"budget.trials={TRIALS}", WITHOUT_MLFLOW)
    assert home.state().counts() == {"complete": TRIALS}
    same(home, straight.home)
