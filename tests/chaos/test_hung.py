"""Processes that hang, by SIGSTOP, as with a stuck solver, GPU or disk: no search waits for them for ever."""

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.chaos.invariants import nothing_half_written
from tests.chaos.processes import ray_processes, stage_workers
from tests.drivers import PATIENCE_S, command, wait_until
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(900)]

LONG = ("dense.epochs=400", "finetune.epochs=2", "budget.trials=2", "tracking.enabled=false")


@contextlib.contextmanager
def driving(root, *overrides, hasty=False):
    """A driver that writes into a file; returns it and what reads that."""
    words = command(str(root), overrides)
    if hasty:
        words[words.index("jobs.search")] = "tests.chaos.hasty_driver"
    log = root.with_suffix(".log")
    with log.open("wb") as file:
        driver = subprocess.Popen(
            words, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, cwd=Path(__file__).parents[2]
        )
    try:
        yield driver, log.read_text
    finally:
        with contextlib.suppress(psutil.Error):
            left = psutil.Process(driver.pid).children(recursive=True)
            driver.kill()
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        driver.wait()


def hung_worker(driver, read):
    """Stop the first worker that is at a dense stage, amid its epochs."""
    wait_until(lambda: bool(stage_workers(driver.pid, "dense")), driver)
    wait_until(lambda: "dense 1/" in read() or "dense 2" in read() or "/400" in read(), driver)
    (worker, *_) = stage_workers(driver.pid, "dense")
    worker.suspend()
    return worker


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_stage_that_hangs_is_ended_and_goes_on_from_its_last_epoch(tmp_path):
    root = tmp_path / "runs"
    with driving(root, *LONG, "budget.parallel=1", "resources.dense.timeout_s=90") as (driver, read):
        worker = hung_worker(driver, read)
        assert driver.wait(PATIENCE_S + 120) == 0, read()
        assert gone(worker)
    home = SearchHome(open_store(str(root)), "tiny")
    assert home.state().counts() == {"complete": 2}
    nothing_half_written(home.store, tmp_path / "fresh")


def test_a_time_limit_ends_a_search_whose_stage_hangs_and_counts_over_all_its_drivers(tmp_path):
    root = tmp_path / "runs"
    limit = (*LONG, "budget.time_limit_s=60")
    with driving(root, *limit, hasty=True) as (driver, read):
        worker = hung_worker(driver, read)
        assert driver.wait(PATIENCE_S) == 0, read()
        assert "time limit of 60 s reached after 0 trials; run with a larger budget.time_limit_s to go on" in read()
        assert gone(worker)
    home = SearchHome(open_store(str(root)), "tiny")
    assert home.state().elapsed_s >= 60.0
    assert home.state().open() != [], "called off, and not failed"
    began_s = time.monotonic()
    with driving(root, *limit) as (driver, read):
        assert driver.wait(PATIENCE_S) == 0
        assert "time limit of 60 s reached" in read()
        assert "starting Ray" not in read()
    assert time.monotonic() - began_s < 60.0
    with driving(root, *LONG, "budget.time_limit_s=3600") as (driver, read):
        assert driver.wait(PATIENCE_S) == 0, read()
    assert home.state().counts() == {"complete": 2}
    assert list(home.store.list("claims/")) == []


def test_a_time_limit_ends_a_search_all_of_whose_processes_hang(tmp_path):
    """Broker, coordinators and workers: then nobody is left who could end anything gently."""
    root = tmp_path / "runs"
    with driving(root, *LONG, "budget.time_limit_s=60", hasty=True) as (driver, read):
        hung_worker(driver, read)
        stopped = ray_processes(driver.pid)
        assert any("StageBroker" in " ".join(process.cmdline()) for process in stopped)
        for process in stopped:
            process.suspend()
        assert driver.wait(PATIENCE_S) == 0, read()
        assert "time limit of 60 s reached" in read()
        assert all(gone(process) for process in stopped)


def test_a_broker_that_hangs_ends_the_search_with_a_word_and_costs_no_trial(tmp_path):
    root = tmp_path / "runs"
    with driving(root, *LONG, hasty=True) as (driver, read):
        wait_until(lambda: "/400" in read(), driver)
        (broker,) = (p for p in ray_processes(driver.pid) if "StageBroker" in " ".join(p.cmdline()))
        broker.suspend()
        assert driver.wait(PATIENCE_S) == 1, read()
        assert "has not answered for ten minutes" in read()
        assert gone(broker)
    state = SearchHome(open_store(str(root)), "tiny").state()
    assert (state.counts(), len(state.open()) > 0) == ({}, True), "it stays open"


def test_a_process_for_trials_that_hangs_ends_the_search_with_a_word(tmp_path):
    root = tmp_path / "runs"
    with driving(root, *LONG, "budget.parallel=1", hasty=True) as (driver, read):
        wait_until(lambda: "/400" in read(), driver)
        (coordinator,) = (p for p in ray_processes(driver.pid) if "Trainable" in " ".join(p.cmdline()))
        coordinator.suspend()
        assert driver.wait(PATIENCE_S) == 1, read()
        assert "Ray Tune or one of its processes hangs" in read()
        assert gone(coordinator)


def test_ctrl_c_says_what_hangs_and_a_second_one_ends_it(tmp_path):
    root = tmp_path / "runs"
    with driving(root, *LONG) as (driver, read):
        worker = hung_worker(driver, read)
        os.kill(driver.pid, signal.SIGINT)
        wait_until(lambda: re.search(r"waiting for trial \d dense", read()), driver)
        time.sleep(5.0)
        assert driver.poll() is None, "a stage is given its time to end"
        os.kill(driver.pid, signal.SIGINT)
        assert driver.wait(60) == 130
        assert gone(worker)
    state = SearchHome(open_store(str(root)), "tiny").state()
    assert (state.counts(), len(state.open()) > 0) == ({}, True), "it stays open"
