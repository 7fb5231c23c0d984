"""One key, one result: whatever ran beside it, in which order, and how many at once."""

import asyncio
import subprocess
import sys

import pytest
import ray

from tests.searches import WITHOUT_MLFLOW, one_ray, run_tiny
from tuner.search.execute.broker import ON_THE_HEAD, StageBroker
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.store import Artifacts

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]
KINDS = ("dense", "assign", "finetune", "evaluate")


class Delayed(StageBroker):
    """The first trials come last to their stages, so that others are done before them."""

    async def use(self, row, trial):
        await asyncio.sleep((3, 2, 1, 0)[trial % 4] * 0.7)
        return await super().use(row, trial)


@pytest.fixture
def other_timing(monkeypatch):
    """Delays, and a core that is busy with something else."""

    def start(store_url, scratch, *rest):
        actor = ray.remote(Delayed).options(num_cpus=0, resources=ON_THE_HEAD)
        return BrokerHandle(actor.remote(store_url, str(scratch), *rest))

    monkeypatch.setattr("tuner.search.driver.driver.start_broker", start)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        yield
        busy.kill()


def digests(store):
    """Hash of the files of every artifact, by stage and key."""
    artifacts = Artifacts(store)
    keys = {tuple(key.split("/")[1:3]) for kind in KINDS for key in store.list(f"stages/{kind}/")}
    return {(kind, key): artifacts.find(f"stages/{kind}", key).digest for kind, key in keys}


def test_equal_keys_are_equal_bytes_under_another_timing(tmp_path, request):
    with one_ray():
        quiet, _ = run_tiny(tmp_path / "quiet", "tiny", WITHOUT_MLFLOW, trials=4)
        request.getfixturevalue("other_timing")
        busy, _ = run_tiny(tmp_path / "busy", "tiny", WITHOUT_MLFLOW, "budget.parallel=4", trials=4)
    assert quiet.state.counts() == busy.state.counts() == {"complete": 4}  # the whole space, in another order
    expected, found = digests(quiet.home.store), digests(busy.home.store)
    assert len(expected) >= 1 + 3 * 4  # and the members on test
    assert found == expected
    assert all(trial.program.status == "optimal" for trial in busy.state.trials.values())
