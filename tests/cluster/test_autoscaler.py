"""The autoscaler brings up nodes for a search, and the search runs on them."""

import json
import secrets

import pytest

from tests.cluster.namespaces import run_apart
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_search_makes_the_cluster_grow(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    cpus = json.loads(run_apart("tests.cluster.fake_nodes", str(tmp_path / "runs")).splitlines()[-1])
    assert cpus.count(1.0) >= 1, "fake nodes came up beside the head, which has no CPU"
    assert SearchHome(open_store(str(tmp_path / "runs")), "tiny").state().counts() == {"complete": 3}
