"""Workers and servers that die in mid-search: the search goes on, and no trial is the worse for it."""

import os
import signal
import time

import pytest

from cluster import s3
from tests.chaos.invariants import ledger_is_front_is_mlflow, manifests, nothing_half_written, nothing_ran_twice, same
from tests.chaos.processes import stage_workers
from tests.drivers import PATIENCE_S, SLOWER, wait_until
from tests.searches import WITHOUT_MLFLOW, run_tiny
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(600)]

OUTAGE_S = 20.0
# The program needs less than its neighbours, so it is a task of its own, and so is the fine-tuning after it.
APART = (*SLOWER, "resources.assign.cpus=0.5")


def state(root):
    return SearchHome(open_store(str(root)), "tiny").state()


def finished(root_or_url, driver):
    """Wait for the driver's end; the search, which must be complete."""
    assert driver.wait(timeout=PATIENCE_S) == 0
    home = SearchHome(open_store(str(root_or_url)), "tiny")
    assert home.state().counts() == {"complete": 3}
    return home


@pytest.mark.long
def test_a_killed_stage_worker_costs_no_trial(tmp_path, start):
    root = tmp_path / "runs"
    driver = start(root, *APART)
    for stage in ("dense", "finetune"):
        wait_until(lambda stage=stage: bool(stage_workers(driver.pid, stage)), driver)
        for worker in stage_workers(driver.pid, stage):
            worker.kill()
    home = finished(root, driver)
    nothing_half_written(home.store, tmp_path / "fresh")
    ledger_is_front_is_mlflow(home, f"sqlite:///{root}/mlflow.db")
    straight, _ = run_tiny(tmp_path / "straight", "tiny", *SLOWER, WITHOUT_MLFLOW)
    same(home, straight.home)


@pytest.mark.long
def test_a_worker_that_dies_every_time_costs_its_trial_alone(tmp_path, start):
    """What the kernel does to a stage that takes too much memory, each time Ray starts it again."""
    root, doomed = tmp_path / "runs", set()
    driver = start(root, *APART)

    def kill_the_doomed():
        for worker in stage_workers(driver.pid, "finetune"):
            name = " ".join(worker.cmdline())
            if not doomed or name in doomed:
                doomed.add(name)
                worker.kill()
        return any(trial.outcome == "failed" for trial in state(root).trials.values())

    wait_until(kill_the_doomed, driver)
    assert driver.wait(timeout=PATIENCE_S) == 0
    counts, trials = state(root).counts(), state(root).trials.values()
    assert counts == {"complete": 2, "failed": 1}
    (failed,) = (trial for trial in trials if trial.outcome == "failed")
    assert failed.stage == "finetune"
    assert failed.cause == "its worker died repeatedly, perhaps for lack of memory"


def test_memory_that_is_not_there_fails_its_trial_alone(tmp_path):
    widths = "space.width={choices: [24, 1099511627776]}"
    result, _ = run_tiny(tmp_path, "tiny", widths, "budget.trials=6", "budget.parallel=1", WITHOUT_MLFLOW)
    for trial in result.state.trials.values():
        if trial.params["width"] == 24:
            assert trial.outcome == "complete"
        else:
            assert (trial.outcome, trial.stage) == ("failed", "dense")
            assert "allocate" in trial.cause
    assert result.state.counts().keys() == {"complete", "failed"}


@pytest.mark.long
def test_the_store_goes_away_for_a_while(tmp_path, start, monkeypatch):
    """kill -9 of the S3 server in mid-search, back after twenty seconds."""
    folder = tmp_path / "s3"
    server = s3.start(folder, "runs")
    try:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
        url = "s3://runs/qpm"
        store = open_store(url)
        driver = start(url)
        wait_until(lambda: any("stages/dense/" in key for key in manifests(store)), driver)
        before = manifests(store)
        os.kill(server.pid, signal.SIGKILL)
        s3.stop(folder)
        time.sleep(OUTAGE_S)
        s3.start(folder, "runs", port=server.ports[0])
        home = finished(url, driver)
        nothing_ran_twice(before, manifests(store))
        nothing_half_written(store, tmp_path / "fresh")
        ledger_is_front_is_mlflow(home, f"sqlite:///{tmp_path}/mlflow.db")
    finally:
        s3.stop(folder)


@pytest.mark.long
def test_a_full_disk_is_said_and_the_search_goes_on_once_there_is_room(tmp_path, start):
    """The store's folder is a file system of a few megabytes, filled up by somebody else."""
    root = tmp_path / "runs"
    root.mkdir()
    if os.system(f"mount -t tmpfs -o size=64m tmpfs {root} 2>/dev/null") != 0:
        pytest.skip("no right to mount a small file system here")
    filler = root / "somebody-elses"
    try:
        driver = start(root)
        wait_until(lambda: any(root.glob("stages/dense/*/manifest.json")), driver)
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(bytes(2**16))
                    file.flush()
            except OSError:
                pass
        assert driver.wait(timeout=PATIENCE_S) != 0
        filler.unlink()
        before = manifests(open_store(str(root)))
        home = finished(root, start(root))
        nothing_ran_twice(before, manifests(home.store))
        nothing_half_written(home.store, tmp_path / "fresh")
    finally:
        os.system(f"umount {root}")
