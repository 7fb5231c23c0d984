"""The feature bank of a search: found in the store, or extracted and published there."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.base.folders import cache_root, made_folder
from tuner.base.gpus import gpus_here
from tuner.base.metric import METRICS, PARTS
from tuner.base.progress import Progress
from tuner.base.steps import Step
from tuner.data.dataset import Dataset
from tuner.data.remote_digests import digested_by, digests_told
from tuner.data.words import count
from tuner.errors import TunerError, UsageError
from tuner.features.licences import licence_note
from tuner.recipe import Recipe, ResourcesConfig, objectives_of
from tuner.search.record.holder import is_gone, short, this_driver
from tuner.search.record.searched_banks import Bank, SearchedBanks
from tuner.search.session.address import LOCAL_RAY, ray_address
from tuner.store import Artifacts, Claims
from tuner.store.claims import LATEST_S, SOONEST_S
from tuner.store.disk import locked
from tuner.store.manifest import Manifest

if TYPE_CHECKING:
    from tuner.features.building import Team
    from tuner.features.described import BackboneFacts
    from tuner.features.extract import BankSource

LOOKED_FOR = (PARTS,)  # what banks of earlier versions lack although the data may have it; their keys are the same


class ChangedDataError(TunerError):
    """Images or weights are not those that a search started with: no fault of a trial, which stays open."""


def not_looked_for(manifest: Manifest) -> tuple[str, ...]:
    """What a bank has not, because the version that made it did not look for it; such as "parts"."""
    known = manifest.meta.get("looked_for")
    told = known if isinstance(known, list) else []
    return tuple(need.what for need in LOOKED_FOR if f"{need.what}.npy" not in manifest.files and need.what not in told)


def ensure_bank(
    artifacts: Artifacts,
    recipe: Recipe,
    progress: Progress,
    dataset: Dataset | None = None,
    facts: "BackboneFacts | None" = None,
) -> str:
    """Make sure that the recipe's feature bank is in the store; returns its key.

    Extraction resumes where an earlier one was killed, on whatever machine.

    Args:
        artifacts: of the store.
        recipe: its data and backbone define the bank.
        progress: receives each step.
        dataset: the recipe's data set, if it has been loaded already.
        facts: about the backbone, if they are known already.

    Raises:
        TunerError: the data are missing or broken, or the disk is full.
        UsageError: the bank in the store is too old for an objective.
    """
    with on_workers(recipe, progress):
        with progress.step("looking for the features") as step, digests_told(step):
            source = bank_source(artifacts, recipe, dataset, facts)
            if artifacts.find("banks", source.key) is not None:
                require_parts(artifacts, recipe, source.dataset, source.key, progress)
                if note := licence_note(source.facts.licence):
                    progress.say(note)
                return source.key
        return publish_bank(artifacts, source, progress, recipe.resources)


def bank_source(
    artifacts: Artifacts, recipe: Recipe, dataset: Dataset | None = None, facts: "BackboneFacts | None" = None
) -> "BankSource":
    """What the recipe's bank is made of; on a cluster a worker says what is to be known of the backbone.

    Raises:
        TunerError: the data or the weights are missing.
    """
    from tuner.features.extract import BankSource

    if facts is None and is_spread():
        from tuner.search.execute.extraction import Cluster

        facts = Cluster(artifacts.store.url, recipe.data, recipe.backbone, recipe.resources, Step("")).describe()
    return BankSource(recipe.data, recipe.backbone, dataset, facts)


def is_spread() -> bool:
    """Whether workers of Ray extract features: on a cluster, and where a machine has several GPUs.

    Elsewhere this process does it: it has the whole machine, and needs no second copy of the backbone.
    """
    if ray_address() != LOCAL_RAY:
        return True
    if "ray" in sys.modules and (ray := sys.modules["ray"]).is_initialized():  # by the user, or by `on_workers`
        return len(ray.nodes()) > 1 or ray.cluster_resources().get("GPU", 0.0) > 1
    return gpus_here() > 1


@contextlib.contextmanager
def on_workers(recipe: Recipe, progress: Progress) -> Iterator[None]:
    """Joins Ray for a block, where its workers extract features; they also hash the images that lie in a bucket."""
    with contextlib.ExitStack() as joined:
        if is_spread():
            from tuner.search.execute.hashing import digested_on_nodes
            from tuner.search.session.connect import ray_for

            joined.enter_context(ray_for(recipe.resources, progress))
            joined.enter_context(digested_by(digested_on_nodes))
        yield


def require_parts(artifacts: Artifacts, recipe: Recipe, dataset: Dataset, key: str, progress: Progress) -> None:
    """Say that a bank in the store, if it is there, lacks the parts of objects that its data set has.

    Raises:
        UsageError: an objective needs them.
    """
    found = artifacts.find("banks", key)
    if found is not None and dataset.parts is not None and PARTS.what in not_looked_for(found):
        _tell_of_missing_parts(artifacts, recipe, key, progress)


def _tell_of_missing_parts(artifacts: Artifacts, recipe: Recipe, key: str, progress: Progress) -> None:
    """A bank made before parts were read is used as it is, unless an objective needs them.

    Raises:
        UsageError: one does.
    """
    what = f"the feature bank banks/{key} in {artifacts.store.url} was made before parts of objects were read"
    needing = [o.name for o in objectives_of(recipe) if o.name in METRICS and PARTS in METRICS[o.name].needs]
    if needing:
        raise UsageError(
            f"{what}, which the objective {needing[0]} needs",
            "a bank that holds them",
            "use another store, or remove this bank from it: the features are then extracted again",
        )
    progress.warn(f"{what}: metrics of parts are left out")


def publish_bank(
    artifacts: Artifacts, source: "BankSource", progress: Progress, resources: ResourcesConfig | None = None
) -> str:
    """As `ensure_bank`, after the bank was not found in the store.

    Args:
        artifacts: of the store.
        source: what the bank is made of.
        progress: receives each step.
        resources: of the workers that extract, where it is done by workers.
    """
    folder = made_folder(cache_root() / "extract") / source.key
    with (
        _alone(folder.with_suffix(".lock"), progress),
        _alone_everywhere(artifacts, source.key, progress) as is_mine,
    ):
        if is_mine and artifacts.find("banks", source.key) is None:
            held = (resources or ResourcesConfig()) if is_spread() else None
            _extract(artifacts, source, folder, progress, held)
    return source.key


def make_bank(artifacts: Artifacts, source: "BankSource", folder: Path, progress: Progress) -> None:
    """Make a bank in this process and publish it; the caller holds its claim, so that nobody else does.

    Args:
        artifacts: of the store.
        source: images and backbone.
        folder: for the bank's own files; shards that an earlier attempt has sealed in the store are used.
        progress: receives each step.

    Raises:
        TunerError: the data or the weights are missing or broken, or the disk is full.
    """
    if artifacts.find("banks", source.key) is None:
        _extract(artifacts, source, folder, progress)


def _extract(
    artifacts: Artifacts,
    source: "BankSource",
    folder: Path,
    progress: Progress,
    resources: ResourcesConfig | None = None,
) -> None:
    """Have the shards made in the store, write the bank's own files in the folder, publish and remove them.

    Args:
        artifacts: of the store.
        source: what the bank is made of.
        folder: for the bank's own files, emptied first.
        progress: receives each step.
        resources: of the workers of Ray that make the shards; None: this process makes them.
    """
    from tuner.features.bank_files import seal

    began_s = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    made_folder(folder)
    facts, dataset = source.facts, source.dataset
    with progress.step(f"extracting features of {source.data.name} by {source.backbone.name}") as step:
        shards = source.build(folder, artifacts, _team(artifacts, source, folder, resources, step), progress.say)
    seal(folder)
    meta = {
        "data": source.data.name,
        "backbone": source.backbone.name,
        "backbone_licence": facts.licence,
        "n_images": len(dataset),
        "n_classes": len(dataset.class_names),
        "dim": facts.dim,
        "grid": list(facts.grid),
        "shards": len(shards),
        "looked_for": [need.what for need in LOOKED_FOR],
        "seconds": time.monotonic() - began_s,
    }
    artifacts.publish("banks", source.key, folder, meta)
    shutil.rmtree(folder)
    progress.say(
        f"feature bank {source.key[:8]}: {len(dataset)} images, {len(dataset.class_names)} classes, "
        f"{facts.grid[0]} x {facts.grid[1]} tokens of width {facts.dim}, in {count(len(shards), 'shard')}"
    )


def _team(
    artifacts: Artifacts, source: "BankSource", folder: Path, resources: ResourcesConfig | None, step: Step
) -> "Team":
    """Who makes the pieces: workers of Ray with these resources, or this process."""
    if resources is not None:
        from tuner.search.execute.extraction import Cluster

        return Cluster(artifacts.store.url, source.data, source.backbone, resources, step)
    from tuner.features.extract import Alone
    from tuner.features.pieces import Extractor

    return Alone(Extractor(source.backbone, source.data.name, folder), artifacts, step.count, step.at)


@contextlib.contextmanager
def _alone(lock: Path, progress: Progress) -> Iterator[None]:
    """Let one process per machine extract at a time; the process that publishes removes the folder."""
    with locked(lock, wait=False) as is_free:
        if is_free:
            yield
            return
    with contextlib.ExitStack() as held:
        with progress.step("waiting for another search on this machine, which is extracting the same features"):
            held.enter_context(locked(lock))
        yield


@contextlib.contextmanager
def _alone_everywhere(artifacts: Artifacts, key: str, progress: Progress) -> Iterator[bool]:
    """Let one process on all machines extract at a time; False: another process has published the bank."""
    with contextlib.closing(Claims(artifacts.store, this_driver(), is_gone=is_gone)) as claims:
        while True:
            granted, holder = claims.take([("banks", key)])
            if granted:
                yield True
                return
            if _published_by_another(artifacts, key, claims, holder or "another driver", progress):
                yield False
                return


def _published_by_another(artifacts: Artifacts, key: str, claims: Claims, holder: str, progress: Progress) -> bool:
    """Wait until another process has published the bank; False if that process has given up or died."""
    pause_s = SOONEST_S
    with progress.step(f"waiting for {short(holder)}, which is extracting the same features for this store"):
        while artifacts.find("banks", key) is None:
            if claims.holder_of(("banks", key)) is None:
                return artifacts.find("banks", key) is not None
            time.sleep(pause_s)
            pause_s = min(LATEST_S, 1.5 * pause_s)
    return True


def n_classes_of(artifacts: Artifacts, bank: Bank) -> int:
    """Number of classes of a search's bank, in the store or settled."""
    if isinstance(bank, SearchedBanks):
        return bank.n_classes
    manifest = artifacts.find("banks", bank)
    assert manifest is not None, "the bank is published before any trial starts"
    return manifest.told("n_classes", int)
