"""kill -9 of the driver in any stage loses at most the stage in flight, and the search ends as if nothing happened."""

import os
import signal
import time

import pytest

from tests.drivers import PATIENCE_S, SLOWER, start, wait_until
from tests.searches import run_tiny
from tuner.store import LeaseHeld

__all__ = ["start"]

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]


def manifests(root):
    """When each published artifact was published, by its place in the store."""
    return {path: path.stat().st_mtime_ns for path in root.glob("stages/*/*/manifest.json")}


def wait_for(root, reached, driver):
    wait_until(lambda: reached(root), driver)


def has(stage):
    return lambda root: any(root.glob(f"stages/{stage}/*/manifest.json"))


def proposed(root):
    return any(root.glob("searches/tiny/ledger/*")) and any(root.glob("banks/*/manifest.json"))


def test_kill_in_every_stage_then_the_same_front_as_without(tmp_path, start):
    root = tmp_path / "killed"
    survived = {}
    for reached in (proposed, has("dense"), has("assign"), has("finetune")):
        driver = start(root)
        wait_for(root, reached, driver)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        time.sleep(1.0)  # workers of a dead driver end by themselves
        survived |= manifests(root)
    result, _ = run_tiny(root, "tiny", *SLOWER)
    straight, _ = run_tiny(tmp_path / "straight", "tiny", *SLOWER)

    after = manifests(root)
    assert survived
    assert all(after[path] == published for path, published in survived.items()), "a finished stage ran again"
    assert result.state.counts() == straight.state.counts() == {"complete": 3}
    for number, trial in straight.state.trials.items():
        assert result.state.trials[number].params == trial.params
        assert result.state.trials[number].values == pytest.approx(trial.values, abs=1e-6)
    assert result.home.front().hypervolume == pytest.approx(straight.home.front().hypervolume, abs=1e-9)


def test_ctrl_c_ends_gracefully_and_the_same_command_carries_on(tmp_path, start):
    driver = start(tmp_path)
    wait_for(tmp_path, has("assign"), driver)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=PATIENCE_S) == 130
    result, _ = run_tiny(tmp_path, "tiny", *SLOWER)
    assert result.state.counts() == {"complete": 3}


def test_a_second_driver_stops_with_the_holders_name(tmp_path, start):
    driver = start(tmp_path)
    wait_for(tmp_path, proposed, driver)
    with pytest.raises(LeaseHeld, match=f"pid {driver.pid}"):
        run_tiny(tmp_path, "tiny", *SLOWER)
