"""The autoscaler brings up nodes for a search, a GPU among them although none was there at the start."""

import json
import secrets

import pytest

from tests.cluster.namespaces import run_apart
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]


def test_a_search_makes_the_cluster_grow(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    nodes = json.loads(run_apart("tests.cluster.fake_nodes", str(tmp_path / "runs")).splitlines()[-1])
    assert [0, 0] in nodes, "the head, which has room for nothing"
    assert [1, 1] in nodes, "a GPU for training; the program may use its node's CPU, or have one of its own"
    state = SearchHome(open_store(str(tmp_path / "runs")), "tiny").state()
    assert state.counts() == {"complete": 3}
    held = {use.stage: use.gpus for trial in state.trials.values() for use in trial.stages if not use.reused}
    assert held["dense"] == 0.5, "although no GPU was there when the search began"
