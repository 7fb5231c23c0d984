"""What a worker of a cluster does, run here without a cluster; tests/chaos/test_extraction.py has the cluster."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from ray import cloudpickle

from tuner.base.steps import Step
from tuner.errors import TunerError
from tuner.features import plan, register_backbone
from tuner.features.backbone import Pretrained
from tuner.features.described import BackboneFacts
from tuner.features.extract import Alone, BankSource
from tuner.features.kinds import BACKBONES
from tuner.features.pieces import Extractor
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig, BackboneSettings
from tuner.recipe import StageResources, load_recipe
from tuner.search.execute import banks
from tuner.search.execute.answers import answer
from tuner.search.execute.extraction import Worker
from tuner.search.session.folder import as_from, driver_folder
from tuner.store import Artifacts, open_store


class Pooled(Pretrained):
    dim, has_cls, image_size, grid = 3, True, 8, (2, 2)
    broken = False

    def key_material(self):
        return {"name": "pooled"}

    def load(self, device):
        pass

    def tokens(self, images):
        if Pooled.broken:
            raise RuntimeError("out of memory, says the device")
        means = torch.nn.functional.adaptive_avg_pool2d(images.float(), self.grid).flatten(2).transpose(1, 2)
        return means, means[:, 0]


@pytest.fixture
def pooled(monkeypatch, tmp_path):
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plan, "SHARD_IMAGES", 300)
    register_backbone("pooled", lambda config, **_: Pooled())
    yield BackboneSettings(name="pooled")
    Pooled.broken = False
    BACKBONES.remove("pooled")


class Workers:
    """A team that passes pieces as a cluster does, pickled, in groups of two."""

    def __init__(self, store, extractor):
        self.store, self.extractor = store, extractor

    def do(self, step, pieces, done, total):
        for start in range(0, len(pieces), 2):
            extractor = cloudpickle.loads(cloudpickle.dumps(self.extractor))
            worker = Worker(step, self.store.url, extractor, StageResources())
            rows = worker({"pieces": np.array([cloudpickle.dumps(pieces[start : start + 2])], dtype=object)})
            yield from [answer(cloudpickle.loads(row["done"][0])) for row in rows]


def _contents(store: Path) -> dict[str, bytes]:
    return {str(file.relative_to(store)): file.read_bytes() for file in sorted(store.glob("shards/*/*/*.npy"))}


@pytest.mark.slow
def test_workers_make_the_bytes_that_one_process_makes(tmp_path, pooled):
    data = load_recipe("digits").data
    stores = [open_store(tmp_path / name) for name in ("alone", "workers")]
    extractor = Extractor(pooled, data.name, tmp_path / "drafts")
    teams = [Alone(extractor, Artifacts(stores[0]), None, lambda _: None), Workers(stores[1], extractor)]
    for store, team in zip(stores, teams, strict=True):
        (tmp_path / f"{team.__class__.__name__}").mkdir()
        BankSource(data, pooled).build(tmp_path / f"{team.__class__.__name__}", Artifacts(store), team)
    alone, workers = (_contents(tmp_path / name) for name in ("alone", "workers"))
    assert len(alone) == 6 * 3  # patches, CLS and masks of 1,797 images
    assert alone == workers
    again = list(teams[1].do("shards", [], 0, 0))
    assert again == []


@pytest.mark.slow
def test_an_error_of_a_worker_names_its_node(tmp_path, pooled):
    data = load_recipe("digits").data
    store = open_store(tmp_path / "store")
    team = Workers(store, Extractor(pooled, data.name, tmp_path / "drafts"))
    (tmp_path / "bank").mkdir()
    Pooled.broken = True
    with pytest.raises(
        TunerError, match=f"on node {socket.gethostname()}: .*RuntimeError: out of memory, says"
    ) as told:
        BankSource(data, pooled).build(tmp_path / "bank", Artifacts(store), team)
    assert "resources.extract" in told.value.todo
    assert not list((tmp_path / "store").glob("shards/*/manifest.json"))
    team.extractor.backbone = BackboneConfig(name="efficientnet_lite2", weights=str(tmp_path / "none.pth"))
    with pytest.raises(TunerError, match=f"on node {socket.gethostname()}: no weights at .*none.pth"):
        BankSource(data, pooled).build(tmp_path / "bank", Artifacts(store), team)


def test_facts_about_a_backbone_hold_nothing_of_torch(pooled):
    facts = BackboneFacts.of(make_backbone(pooled, "digits"))
    assert type(facts.versions["torch"]) is str  # torch's own version would bring torch along where it is unpickled
    assert (facts.dim, facts.has_cls, facts.needs_fit, facts.grid) == (3, True, False, (2, 2))


@pytest.mark.parametrize(("gpus", "nodes", "spread"), [(1, 1, False), (2, 1, True), (0, 2, True), (0, 1, False)])
def test_a_machine_of_several_gpus_extracts_by_workers_also_once_ray_is_joined(monkeypatch, gpus, nodes, spread):
    """The driver joins Ray before it looks for the features; no machine here has two GPUs."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    monkeypatch.setattr("ray.nodes", lambda: [{}] * nodes)
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 2.0, **({"GPU": float(gpus)} if gpus else {})})
    assert banks.is_spread() is spread
    if nodes == 1:
        monkeypatch.setattr("ray.is_initialized", lambda: False)
        monkeypatch.setattr(banks, "gpus_here", lambda: gpus)
        assert banks.is_spread() is spread


def test_a_worker_reads_relative_paths_from_the_folder_of_the_driver(tmp_path, monkeypatch):
    (tmp_path / "here" / "photos").mkdir(parents=True)
    (tmp_path / "node").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    mine = driver_folder()
    monkeypatch.chdir(tmp_path / "node")
    with as_from(mine):
        assert Path("photos").is_dir()
    with as_from(str(tmp_path / "not on this node")):
        assert Path.cwd() == tmp_path / "node"
    assert Path.cwd() == tmp_path / "node"


def test_a_count_begins_anew_with_each_kind_of_piece():
    step = Step("extracting")
    step.recount(0, 60, "masks")
    step.count(60, 60, "masks")
    step.recount(40, 100)
    assert str(step).startswith("extracting: 40 of 100 images,")
    assert "images/s" not in str(step)
    step.count(41, 100)
    assert "images/s, ETA" in str(step)


def test_drafts_of_processes_that_died_are_removed(tmp_path, pooled):
    extractor = Extractor(pooled, "digits", tmp_path / "drafts")
    with extractor.draft() as mine:
        dead = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{2**22 + 1}-"))
        elsewhere = dead.with_name(dead.name.replace(socket.gethostname(), "another-node"))
        for folder in (dead, elsewhere):
            folder.mkdir()
        with extractor.draft():
            assert mine.is_dir()
        assert not dead.exists()
        assert elsewhere.is_dir()
    assert not mine.exists()
