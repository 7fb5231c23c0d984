"""Two drivers of one search: the one that slept for too long writes nothing, and those that cannot tell wait."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.invariants import ledger_is_front_is_mlflow
from tests.drivers import PATIENCE_S, SLOWER, command, wait_until
from tuner.search.record.home import SearchHome
from tuner.store import open_store
from tuner.store.lease import Lease
from tuner.store.local import LocalStore

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]

TTL_S = 4
SHORT = {"QPM_TUNER_LEASE_S": str(TTL_S)}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def spoken(tmp_path):
    """Starts drivers that write down what they say, and ends what is left of them."""
    started = []

    def starter(name, store, *overrides, before=()):
        log = (tmp_path / f"{name}.log").open("wb")
        words = [*before, *command(str(store), overrides)]
        environment = {**os.environ, **SHORT}
        started.append(subprocess.Popen(words, stdout=log, stderr=log, cwd=ROOT, env=environment))
        log.close()
        return started[-1]

    yield starter
    for driver in started:
        driver.kill()
        driver.wait()


def log_of(tmp_path, name):
    return (tmp_path / f"{name}.log").read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("moment", ["trial", "outcome"])
def test_a_driver_that_was_stopped_for_too_long_wakes_and_ends(tmp_path, spoken, moment):
    root = tmp_path / "runs"
    home = SearchHome(open_store(str(root)), "tiny")
    first = spoken("first", root, *SLOWER)
    wait_until(lambda: any(event["event"] == moment for event in home.ledger.read()), first)
    first.send_signal(signal.SIGSTOP)
    try:
        second = spoken("second", root, *SLOWER)
        assert second.wait(timeout=PATIENCE_S) == 0, log_of(tmp_path, "second")
    finally:
        first.send_signal(signal.SIGCONT)
    before = home.store.get(home.key("front.json")), home.ledger.read()
    assert first.wait(timeout=PATIENCE_S) not in (0, None)
    said = log_of(tmp_path, "first")
    assert "has lost the search" in said
    assert "expected:" in said
    assert "to do:" in said
    assert "Traceback" not in said
    assert f"waiting for {os.uname().nodename} pid {first.pid}" in log_of(tmp_path, "second")
    assert before == (home.store.get(home.key("front.json")), home.ledger.read())
    assert home.state().counts() == {"complete": 3}
    assert len(home.ledger.warnings) <= 1, "what it was writing when it was stopped, and nothing else"
    assert all("had lost the search" in warning for warning in home.ledger.warnings)
    ledger_is_front_is_mlflow(home, f"sqlite:///{root}/mlflow.db")


@pytest.mark.long
def test_two_containers_with_one_host_name(tmp_path, spoken):
    """Each sees none of the other's processes; the second waits for a sign of life, and then leaves."""
    alone = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("no right to make a namespace here")
    root = tmp_path / "runs"
    home = SearchHome(open_store(str(root)), "tiny")
    first = spoken("first", root, *SLOWER, "dense.epochs=40", before=alone)
    wait_until(lambda: bool(home.ledger.read()), first)
    second = spoken("second", root, *SLOWER, "dense.epochs=40", before=alone)
    assert second.wait(timeout=PATIENCE_S) == 1
    assert "is held by" in log_of(tmp_path, "second")
    assert first.wait(timeout=PATIENCE_S) == 0
    assert sum(event["event"] == "search" for event in home.ledger.read()) == 1
    ledger_is_front_is_mlflow(home, f"sqlite:///{root}/mlflow.db")


def test_a_living_driver_keeps_the_search_though_the_stores_clock_steps(tmp_path):
    store = open_store(str(tmp_path))
    with Lease(store, "tiny", "ana", 2.0) as lease:
        path = tmp_path / "searches" / "tiny" / "lease.json"
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            os.utime(path, (time.time() - 7200,) * 2)
            time.sleep(0.4)
            lease.check()
    assert json.loads(path.read_bytes())["released"]


STUCK = """
import fcntl, sys, time
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


@pytest.mark.long
def test_a_stopped_process_with_the_stores_lock_is_named_to_every_driver(tmp_path, spoken):
    root = tmp_path / "runs"
    LocalStore(root).put("x", b"")
    with subprocess.Popen([sys.executable, "-c", STUCK, root / ".lock"], stdout=subprocess.PIPE) as stuck:
        assert stuck.stdout is not None
        assert stuck.stdout.readline() == b"held\n"
        stuck.send_signal(signal.SIGSTOP)
        try:
            driver = spoken("driver", root, *SLOWER)
            wait_until(lambda: f"held by pid {stuck.pid}" in log_of(tmp_path, "driver"), driver)
            assert "which is stopped" in log_of(tmp_path, "driver")
            assert driver.wait(timeout=PATIENCE_S) == 1
            assert "has been held for 60 s by pid" in log_of(tmp_path, "driver")
        finally:
            stuck.kill()
