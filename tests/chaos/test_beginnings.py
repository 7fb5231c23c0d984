"""The first seconds of a search: MLflow's file while it is made, and features that two want at the same moment."""

import time

import pytest

from tests.chaos.invariants import ledger_is_front_is_mlflow
from tests.drivers import PATIENCE_S, SLOWER, wait_until
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(1200)]

MOMENTS_S = (0.0, 0.5, 1.5, 3.0)
"""After the first sign of MLflow's file; making its tables takes some seconds."""


def home(root, name="tiny"):
    return SearchHome(open_store(str(root)), name)


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_killed_while_mlflow_makes_its_file_the_next_start_shows_all_runs(tmp_path, start, moment_s):
    root = tmp_path / "runs"
    killed = start(root)
    wait_until(lambda: any(root.glob("*mlflow.db*")) or any(root.glob(".mlflow.db*")), killed)
    time.sleep(moment_s)
    killed.kill()
    killed.wait()
    assert start(root).wait(timeout=PATIENCE_S) == 0
    ledger_is_front_is_mlflow(home(root), f"sqlite:///{root}/mlflow.db")


def test_two_first_searches_at_once_share_mlflows_file(tmp_path, start):
    root = tmp_path / "runs"
    drivers = [start(root, *SLOWER, name=name) for name in ("one", "two")]
    assert [driver.wait(timeout=2 * PATIENCE_S) for driver in drivers] == [0, 0]
    for name in ("one", "two"):
        ledger_is_front_is_mlflow(home(root, name), f"sqlite:///{root}/mlflow.db")


def test_two_searches_that_want_the_same_features_at_the_same_moment_both_get_them(tmp_path, start):
    """Two stores, one machine: what is extracted lies in the cache that both share."""
    places = {"QPM_TUNER_CACHE": str(tmp_path / "cache")}
    drivers = [start(tmp_path / store, environment=places) for store in ("a", "b")]
    assert [driver.wait(timeout=2 * PATIENCE_S) for driver in drivers] == [0, 0]
    banks = [list((tmp_path / store / "banks").glob("*/manifest.json")) for store in ("a", "b")]
    assert [path.parent.name for path in banks[0]] == [path.parent.name for path in banks[1]]
    for store in ("a", "b"):
        assert home(tmp_path / store).state().counts() == {"complete": 3}
