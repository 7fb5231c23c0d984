"""`make chaos`: one search that meets a fault of every kind, in an order and at moments drawn by CHAOS_SEED.

The seed is part of the test's name; the invariants are checked after each fault, and against a search without faults
in the end.
"""

import os
import random
import signal
import time

import psutil
import pytest

from cluster import mlflow, s3
from tests.chaos.invariants import ledger_is_front_is_mlflow, manifests, nothing_half_written, nothing_ran_twice, same
from tests.chaos.test_services import FAULTS
from tests.drivers import PATIENCE_S, wait_until
from tests.faults import FaultProxy
from tests.searches import WITHOUT_MLFLOW, run_tiny
from tests.tracking.half_made import HALFWAY, half_made
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1800)]

SEED = int(os.environ["CHAOS_SEED"])
SEARCH = ("dense.epochs=30", "finetune.epochs=30", "space.n_features={choices: [6, 9, 12, 15]}", "budget.trials=8")
OUTAGE_S = 10.0


class Theatre:
    """The search and all that it stands on, each part of which can be made to fail."""

    def __init__(self, folder, start, monkeypatch, rng):
        self.folder, self.start, self.rng, self.machine = folder, start, rng, 0
        server = s3.start(folder / "s3", "runs")
        self.proxy = FaultProxy(server.endpoint)
        self.port = server.ports[0]
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("QPM_TUNER_CACHE", str(folder / "own-cache"))
        self.mlflow = mlflow.start(folder / "mlflow")
        self.home = SearchHome(open_store("s3://runs/qpm"), "tiny")
        self.driver = None

    def act(self):
        """Start the search, or carry on with it, on a machine that has nothing of it."""
        self.machine += 1
        places = {
            "AWS_ENDPOINT_URL": self.proxy.url,
            "MLFLOW_TRACKING_URI": self.mlflow.url,
            "QPM_TUNER_CACHE": str(self.folder / f"cache{self.machine}"),
        }
        self.driver = self.start("s3://runs/qpm", *SEARCH, environment=places)

    def strike(self):
        """kill -9 of the driver; its workers end by themselves."""
        self.driver.kill()
        self.driver.wait()
        time.sleep(1.0)

    def kill_driver(self):
        self.strike()
        self.act()

    def kill_worker(self):
        found = [p for p in psutil.Process(self.driver.pid).children(recursive=True) if "ray::" in p.name()]
        if found:
            self.rng.choice(found).kill()

    def kill_store(self):
        os.kill(s3.find(self.folder / "s3").pid, signal.SIGKILL)
        s3.stop(self.folder / "s3")
        time.sleep(OUTAGE_S)
        s3.start(self.folder / "s3", "runs", port=self.port)

    def spoil_answers(self):
        self.proxy.plan(self.rng.choice(FAULTS) for _ in range(3))

    def kill_mlflow(self, meanwhile=lambda: None):
        os.killpg(self.mlflow.pid, signal.SIGKILL)
        mlflow.stop(self.folder / "mlflow")
        meanwhile()
        port = int(self.mlflow.url.rsplit(":", 1)[1])
        self.mlflow = mlflow.start(self.folder / "mlflow", port=port)

    def lose_mlflow(self):
        """Its database is lost, and the new one stays half made."""

        def lose():
            for file in (self.folder / "mlflow").glob("mlflow.db*"):
                file.unlink()
            half_made(self.folder / "mlflow" / "mlflow.db", self.rng.choice(HALFWAY))

        self.kill_mlflow(lose)

    def damage(self):
        """A byte of the dense model flips while no driver looks; returns the artifact's manifest."""
        self.strike()
        key = next(key for key in manifests(self.home.store) if key.startswith("stages/dense/"))
        place = next(file for file in self.home.store.list(key.removesuffix("manifest.json")) if "safetensors" in file)
        body = bytearray(self.home.store.get(place))
        body[-1] ^= 1
        self.home.store.put(place, bytes(body))
        self.act()
        return key

    def wait_for_another(self, key, manifest):
        """Wait until a damaged artifact has been made again."""
        wait_until(lambda: manifests(self.home.store).get(key, manifest) != manifest, self.driver)

    def close(self):
        s3.stop(self.folder / "s3")
        mlflow.stop(self.folder / "mlflow")


@pytest.fixture
def theatre(tmp_path, start, monkeypatch):
    found = Theatre(tmp_path, start, monkeypatch, random.Random(SEED))
    with found.proxy:
        yield found
        found.close()


@pytest.mark.parametrize("seed", [SEED], ids=lambda seed: f"CHAOS_SEED={seed}")
def test_a_fault_of_every_kind(theatre, tmp_path, seed):
    menu = [theatre.kill_driver, theatre.kill_worker, theatre.kill_store, theatre.spoil_answers]
    menu += [theatre.kill_mlflow, theatre.lose_mlflow]
    theatre.rng.shuffle(menu)
    # The dense model is read as long as trials are left, so its damage cannot stay unseen.
    menu.insert(theatre.rng.randrange(2), theatre.damage)
    theatre.act()
    wait_until(lambda: any("stages/dense/" in key for key in manifests(theatre.home.store)), theatre.driver)
    for fault in menu:
        time.sleep(theatre.rng.uniform(0.0, 5.0))
        before = manifests(theatre.home.store)
        damaged = fault()
        print(f"CHAOS_SEED={seed}: {fault.__name__} with {len(before)} artifacts and {theatre.home.state().counts()}")
        nothing_ran_twice({k: m for k, m in before.items() if k != damaged}, manifests(theatre.home.store))
        if damaged is not None:
            theatre.wait_for_another(damaged, before[damaged])
        nothing_half_written(theatre.home.store, tmp_path / f"fresh-{fault.__name__}")
    assert theatre.driver.wait(timeout=PATIENCE_S) == 0
    theatre.act()  # what MLflow missed is mirrored by the same command
    assert theatre.driver.wait(timeout=PATIENCE_S) == 0
    ledger_is_front_is_mlflow(theatre.home, theatre.mlflow.url)
    straight, _ = run_tiny(tmp_path / "straight", "tiny", *SEARCH, WITHOUT_MLFLOW)
    same(theatre.home, straight.home)
