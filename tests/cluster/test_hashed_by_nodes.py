"""On a cluster the driver lists the images of a bucket; nodes fetch and hash them, and nobody does it twice."""

from pathlib import Path

import boto3
import pytest
from ray.cluster_utils import Cluster

from tests.servers import BUCKET, s3_server, s3_url
from tuner.base.progress import Silent
from tuner.base.s3.objects import Objects
from tuner.base.steps import Step
from tuner.data.dataset import Dataset
from tuner.data.fingerprint import Hasher
from tuner.data.load import check_labels, load_dataset
from tuner.data.place import S3Path
from tuner.data.remote_digests import digests_told
from tuner.errors import TunerError
from tuner.recipe import Recipe, load_recipe
from tuner.search.driver.objective_check import refuse_unmeasurable
from tuner.search.driver.split_check import refuse_unusable
from tuner.search.execute import hashing
from tuner.search.execute.banks import on_workers

__all__ = ["s3_server", "s3_url"]

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

N = 40


class Told(Step):
    """A step that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("reading the data")
        self.lines: list[str] = []

    def count(self, done: int, total: int, unit: str = "images", doing: str = "") -> None:
        super().count(done, total, unit, doing)
        self.lines.append(str(self))


@pytest.fixture
def photos(s3_url: str) -> str:
    """Images of two classes, two of them copies, and their masks; in the bucket alone. Nothing here decodes them."""
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    client = boto3.Session().client("s3")
    for i in range(N):
        side = "test" if i % 4 == 0 else "train"
        for kind in ("photos", "masks"):
            contents = f"{kind} {0 if i == 2 else i}".encode()
            client.put_object(Bucket=bucket, Key=f"{prefix}/{kind}/{side}/{'ab'[i % 2]}/{i:02}.png", Body=contents)
    return s3_url


@pytest.fixture
def nodes(s3_url: str, monkeypatch: pytest.MonkeyPatch):
    """A head without CPUs, and a node; both know the bucket as this process does."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
    finally:
        cluster.shutdown()


def _read(recipe: Recipe, step: Step) -> tuple[Dataset, list[list[str]]]:
    """As the driver begins a search."""
    with digests_told(step):
        dataset = load_dataset(recipe.data)
        refuse_unusable(recipe, dataset)
        refuse_unmeasurable(recipe, dataset)
        check_labels(dataset)
        return dataset, dataset.pictures.digests()


def test_the_driver_fetches_no_image(
    photos: str, nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "OF_A_TASK", 9)
    recipe = load_recipe("folder", [f"data.root={photos}/photos", f"data.masks={photos}/masks"])
    fetched: list[str] = []
    read = Objects.read
    monkeypatch.setattr(Objects, "read", lambda self, key: (fetched.append(key), read(self, key))[1])
    first, second = Told(), Told()
    with on_workers(recipe, Silent()):
        dataset, by_nodes = _read(recipe, first)
        assert any(f"hashing 9 of {N} images, " in line and "images/s, ETA" in line for line in first.lines)
        assert any(f"hashing 9 of {N} masks, " in line for line in first.lines), first.lines
        assert dataset.content is not None
        assert len(set(dataset.content)) == N - 1, "copies are known by what the nodes found"

        assert _read(recipe, second)[1] == by_nodes
        assert second.lines == [], "what is remembered is not hashed again, by anybody"

        with pytest.raises(TunerError, match=r"on node \S+: .*absent-bucket"):
            Hasher().each([S3Path("absent-bucket", "x.png")])
        assert Hasher().each([S3Path(BUCKET, "absent.png")], unreadable="gone") == ["gone"]
    assert fetched == []

    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "another-machine"))
    assert _read(recipe, Told())[1] == by_nodes
    assert len(fetched) == 2 * N, "without a cluster this process does it"
