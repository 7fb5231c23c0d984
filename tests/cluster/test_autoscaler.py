"""The autoscaler brings up nodes for a search, and the search runs on them."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.search.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

NAMESPACE = ("unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")


def test_a_search_makes_the_cluster_grow(tmp_path, monkeypatch):
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to make namespaces here")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "tests.cluster.fake_nodes", str(tmp_path / "runs")],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1]).count(1.0) >= 1, "fake nodes beside the head, which has no CPU"
    assert SearchHome(open_store(str(tmp_path / "runs")), "tiny").state().counts() == {"complete": 3}
