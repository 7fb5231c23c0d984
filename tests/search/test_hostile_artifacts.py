"""Artifacts whose hashes are right and whose content is not: told from sound ones, and made again only so often."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tests.mutations import attempt, changed, mutations
from tests.searches import tiny_recipe
from tuner.base.progress import Silent
from tuner.base.untrusted import MalformedError
from tuner.features.bank import FeatureBank, load_bank, seal
from tuner.qpm import Assignment, DenseFeatures, DenseModel, QpmModel
from tuner.qpm.curves import read_curves
from tuner.search.execute.banks import ensure_bank
from tuner.search.execute.broker import StageBroker
from tuner.search.execute.messages import StageUsed
from tuner.search.execute.plan import StageSpec, plan_trial
from tuner.search.execute.trial import run_trial
from tuner.search.execute.worker import run_stage
from tuner.search.record.bank_folder import fetch_bank
from tuner.search.record.inputs import load_input
from tuner.search.record.stage_use import StageUse
from tuner.search.record.values import read_values
from tuner.store import Artifacts, CorruptArtifactError, open_artifacts, open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
EVERY = 1 if os.environ.get("LONG") else 25
PARAMS = {"n_features": 9, "features_per_class": 3, "width": 24}


@dataclass(frozen=True)
class Made:
    """A store with a bank and the stages of one trial, made without Ray."""

    url: str
    bank: str
    specs: tuple[StageSpec, ...]

    def copy(self, root: Path) -> "Made":
        shutil.copytree(self.url, root / "store")
        return Made(str(root / "store"), self.bank, self.specs)

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(open_store(self.url))

    def folder(self, stage: str) -> Path:
        spec = next(spec for spec in self.specs if spec.stage == stage)
        return self.artifacts.fetch(spec.kind, spec.key)

    def forge(self, spec: StageSpec, change: Callable[[Path], object], work: Path) -> None:
        """Publish something else under the stage's key, with hashes that are right."""
        meta = self.artifacts.find(spec.kind, spec.key).meta
        shutil.copytree(self.artifacts.fetch(spec.kind, spec.key), work)
        change(work)
        self.artifacts.remove(spec.kind, spec.key)
        self.artifacts.publish(spec.kind, spec.key, work, meta)
        shutil.rmtree(work)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("made")
    recipe, store = (
        tiny_recipe("dense.precision=float32", "finetune.precision=float32"),
        open_store(str(root / "store")),
    )
    bank = ensure_bank(Artifacts(store), recipe, Silent())
    specs = plan_trial(recipe, bank, PARAMS)
    for spec in specs:
        assert run_stage(spec, store.url, root, 1).outcome == "complete"
    return Made(store.url, bank, tuple(specs))


def received(folder: Path, load: Callable[[Path], Any], work: Path, reseal: Callable[[Path], object]) -> list[str]:
    """The changes that ended in anything but a sound object or an `MalformedError` that names the file."""
    faults, refused, tried = [], 0, list(mutations(folder))[::EVERY]
    for mutation in tried:
        copy = changed(folder, mutation, work)
        if not any(path.is_fifo() or path.is_symlink() for path in copy.iterdir()):
            reseal(copy)
        found = attempt(lambda copy=copy: load(copy))
        refused += isinstance(found, MalformedError)
        if isinstance(found, BaseException) and not (isinstance(found, MalformedError) and found.what.isprintable()):
            faults.append(f"{mutation.label}: {type(found).__name__}: {str(found)[:200]}")
    print(f"{folder.parent.parent.name}: {len(tried)} changes, {refused} refused")
    assert refused > 0.1 * len(tried)
    return faults


def nothing(folder: Path) -> None:
    """Nothing to seal."""


def seal_again(folder: Path) -> None:
    if (folder / "manifest.json").is_file() and (folder / "bank.json").is_file():
        seal(folder)


def small_bank(made: Made, work: Path) -> Path:
    """The first 60 images of the bank, so that copying it takes no time."""
    folder = fetch_bank(made.artifacts, made.bank)
    about = json.loads((folder / "bank.json").read_text())
    shard = f"shards/{about['shards'][0][0]}"
    (work / shard).mkdir(parents=True)
    for file in [*folder.glob("*.npy"), *(folder / shard).glob("*.npy")]:
        np.save(work / file.relative_to(folder), np.load(file)[:60])
    shards = [[about["shards"][0][0], 60]]
    (work / "bank.json").write_text(json.dumps(about | {"paths": about["paths"][:60], "shards": shards}))
    shutil.copy(folder / "backbone.safetensors", work)
    seal(work)
    return work


def sampled(folder: Path) -> FeatureBank:
    bank = load_bank(folder)
    bank.samples(np.arange(len(bank)))
    return bank


def test_no_stage_artifact_is_taken_for_what_it_is_not(made, tmp_path):
    bank = load_bank(fetch_bank(made.artifacts, made.bank), contents=False)
    dense = DenseModel.load(made.folder("dense")).of(bank)
    loads: dict[str, Callable[[Path], Any]] = {
        "dense": lambda folder: (DenseModel.load(folder).of(bank), DenseFeatures.load(folder)),
        "assign": lambda folder: Assignment.load(folder).of(dense),
        "finetune": lambda folder: (QpmModel.load(folder).of(bank), read_curves(folder)),
    }
    faults = [
        f"{stage}/{fault}"
        for stage, load in loads.items()
        for fault in received(made.folder(stage), load, tmp_path / "work", nothing)
    ]
    assert not faults, "\n".join(faults)


def test_no_bank_is_taken_for_what_it_is_not(made, tmp_path):
    whole = small_bank(made, tmp_path / "bank")
    assert len(sampled(whole)) == 60
    faults = received(whole, sampled, tmp_path / "work", seal_again)
    faults += received(whole, sampled, tmp_path / "work", nothing)
    assert not faults, "\n".join(faults)


def test_no_shard_is_taken_for_what_it_is_not(made, tmp_path):
    """In a store its hashes may be right: a bank is then loaded without asking for those of its own manifest."""
    bank = small_bank(made, tmp_path / "bank")
    (shard,) = (bank / "shards").iterdir()
    shutil.move(shard, tmp_path / "shard")

    def loaded(folder: Path) -> FeatureBank:
        shard.unlink(missing_ok=True)
        shard.symlink_to(folder)
        found = load_bank(bank, contents=False)
        found.samples(np.arange(len(found)))
        return found

    for name in ("bank.json", "labels.npy", "is_train.npy", "has_mask.npy"):
        assert (bank / name).is_file()
    sealed = json.loads((bank / "manifest.json").read_text())["files"]
    own = {name: entry for name, entry in sealed.items() if not name.startswith("shards/")}
    (bank / "manifest.json").write_text(json.dumps({"files": own}))
    faults = received(tmp_path / "shard", loaded, tmp_path / "work", nothing)
    assert not faults, "\n".join(faults)


def test_a_bank_of_one_file_for_all_tokens_is_still_read(made, tmp_path):
    """As versions before shards have written it."""
    now = small_bank(made, tmp_path / "now")
    (shard,) = (now / "shards").iterdir()
    before = tmp_path / "before"
    shutil.copytree(now, before, ignore=shutil.ignore_patterns("shards", "manifest.json"))
    for file in shard.glob("*.npy"):
        shutil.copy(file, before)
    about = json.loads((now / "bank.json").read_text())
    del about["shards"]
    (before / "bank.json").write_text(json.dumps(about))
    seal(before)
    old, new = sampled(before), sampled(now)
    assert isinstance(old.patches, np.memmap)
    assert np.array_equal(old.patches, np.asarray(new.patches))
    assert np.array_equal(old.masks, new.masks)
    (before / "patches.npy").unlink()
    with pytest.raises(MalformedError, match=r"patches\.npy"):
        load_bank(before)


def test_a_damaged_shard_is_removed_and_made_again(made, tmp_path):
    made = made.copy(tmp_path)
    artifacts = made.artifacts
    before = {file: file.read_bytes() for file in Path(made.url).glob("shards/*/*/patches.npy")}
    spoilt = next(iter(before))
    spoilt.write_bytes(before[spoilt][:-8] + bytes(8))
    with pytest.raises(CorruptArtifactError, match=rf"feature bank {made.bank} lacks a part: .*{spoilt.parent.name}"):
        load_input(artifacts, "banks", made.bank, load_bank)
    assert artifacts.find("shards", spoilt.parent.parent.name) is None
    artifacts.remove("banks", made.bank)
    kept = {file: file.stat().st_mtime_ns for file in before if file != spoilt}
    recipe = tiny_recipe("dense.precision=float32", "finetune.precision=float32")
    assert ensure_bank(artifacts, recipe, Silent()) == made.bank
    assert {file: file.read_bytes() for file in Path(made.url).glob("shards/*/*/patches.npy")} == before
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    load_input(artifacts, "banks", made.bank, load_bank)


def spoilt(name: str, tensor: str, value: float) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        tensors = safetensors.numpy.load_file(folder / name)
        tensors[tensor] = np.full_like(tensors[tensor], value)
        (folder / name).write_bytes(safetensors.numpy.save(tensors))

    return change


FORGED = {
    0: spoilt("features.safetensors", "pooled", np.nan),
    1: spoilt("assignment.safetensors", "matrix", True),
    2: spoilt("model.safetensors", "head.std", 0.0),
}


@pytest.mark.parametrize("place", FORGED)
def test_a_senseless_input_is_removed_made_again_and_named(made, tmp_path, place):
    made = made.copy(tmp_path)
    forged = made.specs[place]
    before = made.artifacts.find(forged.kind, forged.key).digest
    made.forge(forged, FORGED[place], tmp_path / "work")
    last = made.specs[place + 1]
    ended = run_stage(last, made.url, tmp_path, 1)
    assert (ended.outcome, ended.damaged) == ("corrupt", (forged.kind, forged.key))
    assert f"{forged.kind}/{forged.key}" in ended.cause
    assert "is invalid" in ended.cause
    made.artifacts.remove(*ended.damaged)
    assert run_stage(forged, made.url, tmp_path, 1).outcome == "complete"
    assert made.artifacts.find(forged.kind, forged.key).digest == before, "the very same as at first"


def test_whoever_forges_again_and_again_is_not_followed_for_ever(made, tmp_path):
    made, runs = made.copy(tmp_path), []
    broker = StageBroker(made.url, str(tmp_path), {})

    async def use(row, trial):
        spec = row[0]
        if (stored := broker.runs.results.stored(spec)) is None:
            runs.append(spec.stage)
            ended = run_stage(spec, made.url, tmp_path, 1)
            if spec.stage == "assign" and ended.outcome == "complete":
                made.forge(spec, FORGED[1], tmp_path / "work")
            if ended.outcome == "corrupt":
                made.artifacts.remove(*ended.damaged)
            stored = ended
        return StageUsed(stored, StageUse(spec.stage, spec.key, False, 0.0, 0.0))

    made.forge(made.specs[1], FORGED[1], tmp_path / "work")
    made.artifacts.remove(made.specs[2].kind, made.specs[2].key)
    record = asyncio.run(run_trial(0, list(made.specs), use))
    assert (record.outcome, record.stage) == ("failed", None), "which says nothing of the trial's parameters"
    assert "stages/assign" in record.cause
    assert runs.count("finetune") <= 5


ODD_VALUES = (b"[]", b'{"a": NaN}', b'{"a": "high"}', b"[" * 100_000, b'{"\x1b[2J": 1.0}', b"", b'{"a": 1e999}')


@pytest.mark.parametrize("content", ODD_VALUES)
def test_values_that_are_none_are_made_again(made, tmp_path, content):
    made = made.copy(tmp_path)
    spec = made.specs[-1]
    made.forge(spec, lambda folder: (folder / "values.json").write_bytes(content), tmp_path / "work")
    with pytest.raises(CorruptArtifactError, match="is invalid"):
        read_values(made.artifacts, spec.key)
    assert StageBroker(made.url, str(tmp_path), {}).runs.results.stored(spec) is None
    assert made.artifacts.find(spec.kind, spec.key) is None


@pytest.mark.parametrize("meta", [{}, {"seconds": "long"}, {"seconds": 1.0, "program": [1]}, {"seconds": True}])
def test_a_manifest_that_says_something_else_is_made_again(made, tmp_path, meta):
    made = made.copy(tmp_path)
    spec = made.specs[1]
    folder = made.artifacts.fetch(spec.kind, spec.key)
    shutil.copytree(folder, tmp_path / "work")
    made.artifacts.remove(spec.kind, spec.key)
    made.artifacts.publish(spec.kind, spec.key, tmp_path / "work", meta)
    assert StageBroker(made.url, str(tmp_path), {}).runs.results.stored(spec) is None
    assert open_artifacts(made.url).find(spec.kind, spec.key) is None
