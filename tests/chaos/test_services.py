"""Services that fail in mid-search: an MLflow server that dies, an S3 server of errors and half bodies."""

import os
import random
import signal

import pytest

from cluster import mlflow
from tests.chaos.invariants import ledger_is_front_is_mlflow, manifests, nothing_half_written, same
from tests.drivers import PATIENCE_S, SLOWER, wait_until
from tests.faults import Fault, FaultProxy
from tests.searches import WITHOUT_MLFLOW, run_tiny
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.long, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(600)]

FAULTS = (
    Fault("error", 500),
    Fault("error", 503),
    Fault("lost", 500),
    Fault("drop"),
    Fault("cut", method="GET"),
    Fault("slow", delay_s=1.0),
)


def test_mlflow_dies_and_is_filled_by_the_same_command(tmp_path, start):
    root, folder = tmp_path / "runs", tmp_path / "mlflow"
    server = mlflow.start(folder)
    try:
        driver = start(root, environment={"MLFLOW_TRACKING_URI": server.url})
        wait_until(lambda: any(root.glob("stages/dense/*/manifest.json")), driver)
        os.killpg(server.pid, signal.SIGKILL)
        assert driver.wait(timeout=PATIENCE_S) == 0
        home = SearchHome(open_store(str(root)), "tiny")
        assert home.state().counts() == {"complete": 3}
        mlflow.stop(folder)
        back = mlflow.start(folder)
        assert start(root, environment={"MLFLOW_TRACKING_URI": back.url}).wait(timeout=PATIENCE_S) == 0
        ledger_is_front_is_mlflow(home, back.url)
    finally:
        mlflow.stop(folder)


def test_a_store_that_fails_every_tenth_request(tmp_path, start, s3_server, s3_url):
    seed = 0
    rng = random.Random(seed)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with FaultProxy(s3_server.endpoint) as proxy:
        proxy.plan(rng.choice(FAULTS) if rng.random() < 0.1 else Fault("none") for _ in range(20_000))
        driver = start(s3_url, environment={"AWS_ENDPOINT_URL": proxy.url, "MLFLOW_TRACKING_URI": uri})
        assert driver.wait(timeout=PATIENCE_S) == 0
        assert len(proxy.requests) > 100
    home = SearchHome(open_store(s3_url), "tiny")
    assert manifests(home.store)
    nothing_half_written(home.store, tmp_path / "fresh")
    ledger_is_front_is_mlflow(home, uri)
    straight, _ = run_tiny(tmp_path / "straight", "tiny", *SLOWER, WITHOUT_MLFLOW)
    same(home, straight.home)
