"""On a cluster each kind of work has its place: training on GPUs, the program where none is, nothing on the head."""

import time
from pathlib import Path

import pytest

from tests.cluster.local_cluster import CPU, GPUS, HEAD, has_torch, local_cluster
from tests.searches import WITHOUT_MLFLOW
from tuner.search.record.home import SearchHome
from tuner.search.session.gpu_share import VARIABLE
from tuner.store import open_store

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]

STAGES = ("dense", "assign", "finetune", "evaluate")
WIDTHS = "space={n_features: {choices: [6, 9]}, features_per_class: {choices: [2, 3]}, width: {choices: [24, 32]}}"


def test_stages_run_where_their_resources_are_and_the_head_runs_none(tmp_path: Path, start) -> None:
    root = tmp_path / "runs"
    overrides = (WIDTHS, "dense.epochs=30", "finetune.epochs=30", "budget.trials=4", WITHOUT_MLFLOW)
    heavy: set[str] = set()
    with local_cluster() as cluster:
        driver = start(root, *overrides, environment={"RAY_ADDRESS": cluster.address, VARIABLE: "0.5"})
        until = time.monotonic() + 1500.0
        while driver.poll() is None:
            cluster.look()
            heavy.update(name for name, pid in cluster.pids(HEAD).items() if has_torch(pid))
            assert time.monotonic() < until, cluster.seen
            time.sleep(0.1)
    assert driver.returncode == 0
    state = SearchHome(open_store(str(root)), "tiny").state()
    assert state.counts() == {"complete": 4}
    where = {stage: cluster.where(stage) for stage in STAGES}
    assert where["dense"] == set(GPUS), "two trainings at once, on both"
    assert where["finetune"] <= set(GPUS), where
    assert where["assign"] == {CPU}, where
    assert where["evaluate"] <= set(GPUS), "or within the task that fine-tunes"
    ours = ("StageBroker", "ResourceTrainable", "Coordinator")
    others = {name for name in cluster.seen[HEAD] if name.partition(".")[0] not in ours}
    assert others == set(), "the head has the broker and the coordinators of trials, which hold nothing"
    assert heavy == set(), "nor torch"
    held = {use.stage: use.gpus for trial in state.trials.values() for use in trial.stages if not use.reused}
    assert held == {"dense": 0.5, "assign": 0.0, "finetune": 0.5, "evaluate": 0.5}
