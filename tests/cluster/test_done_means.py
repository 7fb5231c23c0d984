"""Images only in S3, three nodes, one of them lost on the way, a driver that has neither torch nor the images."""

import os
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from safetensors.torch import save_file

from tests.cluster.local_cluster import CPU, GPUS, HEAD, LocalCluster, has_torch, local_cluster
from tests.cluster.shown import ROOT, commands
from tests.docs.test_how_to import photos
from tests.searches import WITHOUT_MLFLOW
from tuner.features.timm_package import timm
from tuner.recipe import objectives_of
from tuner.search.record.home import SearchHome
from tuner.search.session.gpu_share import VARIABLE
from tuner.store import open_store

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]

PATIENCE_S = 1500.0
DRIVER = """
import sys

from tuner.base.s3.objects import Objects

read = Objects.read


def refused(self, key):
    assert "-images/" not in key, f"the driver fetches the image {key}"
    return read(self, key)


Objects.read = refused
from jobs.search import main

sys.exit(main(sys.argv[1:]))
"""
BACKBONES = {
    "patch_dictionary": ("backbone.name=patch_dictionary", "backbone.image_size=64", "backbone.n_atoms=16"),
    "timm": ("backbone.name=timm", "backbone.model=resnet10t", "backbone.image_size=64"),
}
SMALL = (
    "adapter.hidden=32",
    "adapter.n_layers=2",
    "dense.epochs=2",
    "finetune.epochs=2",
    "space={n_features: {choices: [4, 6]}, features_per_class: {choices: [2]}, width: {choices: [16]}}",
    "budget.trials=2",
    "confirm.share=0",
    WITHOUT_MLFLOW,
)


def in_the_bucket(folder: Path, url: str) -> str:
    """Images that are nowhere else; their address."""
    photos(folder)
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    client = boto3.Session().client("s3")
    for file in sorted((folder / "photos").rglob("*.png")):
        client.upload_file(str(file), bucket, f"{prefix}-images/{file.relative_to(folder / 'photos')}")
        file.unlink()
    return f"{url}-images"


def weights(folder: Path) -> list[str]:
    """Random weights of the timm network, as a file."""
    file = folder / "resnet10t.safetensors"
    save_file(timm().create_model("resnet10t", num_classes=0).state_dict(), file)
    return [f"backbone.weights={file}"]


def is_extracting(log: Path) -> bool:
    """Whether the driver has begun to have features extracted, and not told of their end."""
    said = log.read_text()
    return "extracting features" in said and "feature bank" not in said


def extractors(cluster: LocalCluster) -> list[str]:
    """The nodes of GPUs on which a worker extracts, or begins to; Ray Data's own actors count for nothing."""
    return [node for node in GPUS if any(name.startswith("MapWorker(") for name in cluster.work(node))]


def look_and_pick(store: str, folder: Path) -> None:
    """What the guide says to type on one's own machine, once the search has ended."""
    for name, words in commands(ROOT / "docs" / "how-to" / "clusters.md"):
        if name in ("status", "front", "trial", "pick"):
            here = [word.replace("s3://YOUR-BUCKET/qpm", store) for word in words]
            command = [sys.executable, "-m", f"jobs.{name}", *here]
            subprocess.run(command, cwd=folder, check=True, timeout=300)
    assert (folder / "mine-picked").is_dir()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_from_images_in_a_bucket_to_a_front(backbone: str, s3_url: str, tmp_path: Path) -> None:
    root = in_the_bucket(tmp_path, s3_url)
    log = tmp_path / "log"
    files = weights(tmp_path) if backbone == "timm" else []
    words = ["--recipe", "folder", f"data.root={root}", *BACKBONES[backbone], *files, *SMALL, "--store", s3_url]
    killed, heavy = False, set()
    with local_cluster() as cluster, log.open("wb") as told:
        driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER, *words, "--name", "mine"],
            env={**os.environ, "RAY_ADDRESS": cluster.address, VARIABLE: "0.5"},
            cwd=tmp_path,
            stdout=told,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + PATIENCE_S
            while driver.poll() is None:
                cluster.look()
                heavy.update(
                    name for name, pid in {"driver": driver.pid, **cluster.pids(HEAD)}.items() if has_torch(pid)
                )
                if not killed and is_extracting(log) and (busy := extractors(cluster)):
                    cluster.kill(busy[0])
                    killed = True
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)
        finally:
            driver.kill()
            driver.wait()
    assert driver.returncode == 0, log.read_text()
    assert killed, "a node was lost during extraction"
    assert heavy == set(), "neither the driver nor anything on the head loads torch"
    home = SearchHome(open_store(s3_url), "mine")
    assert home.state().counts() == {"complete": 2}
    assert home.front(objectives_of(home.stored()[0]), home.state()).members
    assert cluster.where("assign") == {CPU}
    assert cluster.where("dense") <= set(GPUS)
    look_and_pick(s3_url, tmp_path)
