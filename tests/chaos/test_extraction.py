"""Features that are extracted by a cluster: the same bytes as from one process, whoever dies on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ray.cluster_utils import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(900)]

N_IMAGES, OF_A_SHARD = 60, 4
PATIENCE_S = 300.0

DRIVER = """
import sys, time

from tuner.base.progress import ConsoleProgress
from tuner.features import plan, register_backbone
from tuner.recipe import load_recipe
from tuner.search.execute.banks import ensure_bank
from tuner.store import Artifacts, open_store


def make(config, **_):
    import torch

    from tuner.features.backbone import Pretrained

    class Means(Pretrained):
        dim, has_cls, image_size, grid = 3, True, 16, (4, 4)

        def key_material(self):
            return {"name": "means"}

        def load(self, device):
            pass

        def tokens(self, images):
            time.sleep(PAUSE_S)
            pooled = torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, self.grid)
            means = pooled.flatten(2).transpose(1, 2)
            return means, means.mean(1)

    return Means()


if __name__ == "__main__":
    store, photos, masks, of_a_shard, PAUSE_S = sys.argv[1:4] + [int(sys.argv[4]), float(sys.argv[5])]
    plan.SHARD_IMAGES = of_a_shard
    register_backbone("means", make)
    from rich.console import Console

    recipe = load_recipe("folder", [f"data.root={photos}", f"data.masks={masks}", "backbone.name=means"])
    key = ensure_bank(Artifacts(open_store(store)), recipe, ConsoleProgress(Console(width=200)))
    print("KEY", key, "torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def cluster():
    """Three nodes on this machine; the head's has no CPU, so that features are extracted on the two others."""
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        found.add_node(num_cpus=1)
    yield found
    found.shutdown()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Small photographs, every second one with a mask."""
    root = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(0)
    for i in range(N_IMAGES):
        name = f"{'ab'[i % 2]}/{i:03}.png"
        for folder, pixels in (
            ("photos", noise.integers(0, 256, (20, 24, 3), dtype=np.uint8)),
            ("masks", np.where(noise.random((20, 24)) > 0.5, 255, 0).astype(np.uint8)),
        ):
            if folder == "photos" or i % 3:
                (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(root / folder / name)
    return root


@pytest.fixture
def start(tmp_path, images):
    """Starts an extraction in a process of its own; all are killed at the end."""
    script, started = tmp_path / "driver.py", []
    script.write_text(DRIVER)

    def run(store: Path, address: str = "", pause_s: float = 0.0) -> subprocess.Popen:
        surroundings = {**os.environ, "QPM_TUNER_CACHE": str(tmp_path / "cache"), "RAY_ADDRESS": address}
        if not address:
            del surroundings["RAY_ADDRESS"]
        command = [sys.executable, script, store, images / "photos", images / "masks", str(OF_A_SHARD), str(pause_s)]
        started.append(
            subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def _ended(process: subprocess.Popen) -> str:
    told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    return told


def _shards(store: Path) -> dict[str, Path]:
    return {file.parent.name: file for file in store.glob("shards/*/manifest.json")}


def _contents(store: Path) -> dict[str, dict[str, str]]:
    """SHA-256 of the files of bank, fit and shards, by artifact."""
    return {
        str(file.parent.relative_to(store)): json.loads(file.read_text())["files"]
        for file in store.glob("*/*/manifest.json")
    }


def _wait_for_shards(store: Path, n: int, process: subprocess.Popen) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while len(_shards(store)) < n:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end_s, "no shard was sealed"
        time.sleep(0.05)


def test_the_same_bytes_from_one_process_and_after_the_death_of_a_node_and_of_the_driver(tmp_path, start, cluster):
    alone = _ended(start(tmp_path / "alone"))
    whole = _contents(tmp_path / "alone")
    assert len(_shards(tmp_path / "alone")) == N_IMAGES // OF_A_SHARD

    store = tmp_path / "killed"
    driver = start(store, cluster.address, pause_s=0.3)
    _wait_for_shards(store, 2, driver)
    driver.kill()
    driver.communicate()
    sealed = {name: file.stat().st_mtime_ns for name, file in _shards(store).items()}
    assert 2 <= len(sealed) < N_IMAGES // OF_A_SHARD

    driver = start(store, cluster.address, pause_s=0.3)
    _wait_for_shards(store, len(sealed) + 2, driver)
    os.kill(cluster.worker_nodes.pop().all_processes["raylet"][0].process.pid, signal.SIGKILL)
    told = _ended(driver)
    assert "images/s, ETA" in told
    assert told.split("KEY ")[1].split()[1] == "False", "the driver has imported torch"
    assert alone.split("KEY ")[1].split()[0] == told.split("KEY ")[1].split()[0]
    assert _contents(store) == whole
    assert {name: _shards(store)[name].stat().st_mtime_ns for name in sealed} == sealed, "some were made again"
