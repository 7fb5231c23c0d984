"""A node that dies under a running stage: the stage goes on elsewhere, and no trial's retries are used."""

import os
import signal

import pytest
from ray.cluster_utils import Cluster

from tests.chaos.invariants import ledger_is_front_is_mlflow, nothing_half_written, same
from tests.chaos.processes import stage_workers
from tests.drivers import PATIENCE_S, SLOWER, wait_until
from tests.searches import WITHOUT_MLFLOW, run_tiny
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(900)]

# On a cluster of CPUs `auto` is float32, and on this machine alone perhaps bfloat16.
PRECISE = ("dense.precision=float32", "finetune.precision=float32")
OVERRIDES = (*SLOWER, *PRECISE, "dense.epochs=40", "budget.retries=0")


@pytest.fixture
def cluster():
    """Three nodes on this machine; the head's has no CPU, so that stages run on the two others."""
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        found.add_node(num_cpus=1)
    yield found
    found.shutdown()


def test_kill_9_of_a_raylet_costs_no_trial(tmp_path, start, cluster):
    root = tmp_path / "runs"
    driver = start(root, *OVERRIDES, environment={"RAY_ADDRESS": cluster.address})
    raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.worker_nodes]
    busy = []

    def one_is_busy():
        busy[:] = [pid for pid in raylets if stage_workers(pid, "dense")]
        return bool(busy)

    wait_until(one_is_busy, driver)
    os.kill(busy[0], signal.SIGKILL)
    assert driver.wait(timeout=PATIENCE_S) == 0
    home = SearchHome(open_store(str(root)), "tiny")
    nothing_half_written(home.store, tmp_path / "fresh")
    ledger_is_front_is_mlflow(home, f"sqlite:///{root}/mlflow.db")
    straight, _ = run_tiny(tmp_path / "straight", "tiny", *OVERRIDES, WITHOUT_MLFLOW)
    assert straight.state.counts() == {"complete": 3}
    same(home, straight.home)
    assert _shards(home) == _shards(straight.home), "tokens of the cluster are those of one process, byte for byte"


def _shards(home: SearchHome) -> dict[str, str]:
    """Hash of the files of each shard, by its key."""
    keys = {key.split("/")[1] for key in home.store.list("shards/")}
    found = {key: home.artifacts.find("shards", key) for key in keys}
    assert found
    return {key: manifest.digest for key, manifest in found.items() if manifest is not None}
