"""kill -9 of the driver in any stage loses at most the stage in flight, and the search ends as if nothing happened."""

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from tests.chaos.invariants import ledger_is_front_is_mlflow, manifests, nothing_half_written, nothing_ran_twice, same
from tests.drivers import PATIENCE_S, SLOWER, wait_until
from tests.searches import WITHOUT_MLFLOW, run_tiny
from tuner.base.locks import holder_of
from tuner.base.private import remove_leftovers
from tuner.store import LeaseHeldError, open_store

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]


def has(stage):
    return lambda root: any(root.glob(f"stages/{stage}/*/manifest.json"))


def proposed(root):
    return any(root.glob("searches/tiny/ledger/*")) and any(root.glob("banks/*/manifest.json"))


@pytest.fixture
def temporaries(monkeypatch):
    """Where this test's drivers keep temporary files; short, as sockets in it must be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


@pytest.mark.long
def test_kill_in_every_stage_then_the_same_front_as_without(tmp_path, temporaries, start):
    root = tmp_path / "killed"
    store, survived, left = open_store(str(root)), {}, []
    for reached in (proposed, has("dense"), has("assign"), has("finetune")):
        driver = start(root)
        wait_until(lambda reached=reached: reached(root), driver)
        left.append(set(temporaries.iterdir()))
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        time.sleep(1.0)  # workers of a dead driver end by themselves
        survived |= manifests(store)
    result, _ = run_tiny(root, "tiny", *SLOWER)
    assert left[0]
    assert not left[0] & set(temporaries.iterdir()), "what the first one left was removed by those after it"
    deadline_s = time.monotonic() + PATIENCE_S
    while list(temporaries.iterdir()):  # the last one's Ray may still be writing, and is tried again at each start
        remove_leftovers(temporaries)
        held = {place.name: holder_of(place / "lock") for place in temporaries.iterdir()}
        assert time.monotonic() < deadline_s, held
        time.sleep(0.1)
    straight, _ = run_tiny(tmp_path / "straight", "tiny", *SLOWER, WITHOUT_MLFLOW)
    assert survived
    nothing_ran_twice(survived, manifests(store))
    nothing_half_written(store, tmp_path / "fresh")
    ledger_is_front_is_mlflow(result.home, f"sqlite:///{root}/mlflow.db")
    same(result.home, straight.home)


def test_a_second_driver_stops_with_the_holders_name(tmp_path, start):
    driver = start(tmp_path)
    wait_until(lambda: proposed(tmp_path), driver)
    with pytest.raises(LeaseHeldError, match=f"pid {driver.pid}"):
        run_tiny(tmp_path, "tiny", *SLOWER)
