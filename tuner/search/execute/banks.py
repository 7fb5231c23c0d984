"""The feature bank of a search: found in the store, or extracted and published there."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.base.folders import cache_root, made_folder
from tuner.base.metric import METRICS, PARTS
from tuner.base.progress import Progress
from tuner.data.dataset import Dataset
from tuner.errors import UsageError
from tuner.features.licences import licence_note
from tuner.recipe import Recipe, objectives_of
from tuner.search.record.holder import is_gone, short, this_driver
from tuner.store import Artifacts, Claims
from tuner.store.claims import LATEST_S, SOONEST_S
from tuner.store.disk import locked
from tuner.store.manifest import Manifest

if TYPE_CHECKING:
    from tuner.features.extract import BankSource


LOOKED_FOR = (PARTS,)  # what banks of earlier versions lack although the data may have it; their keys are the same


def not_looked_for(manifest: Manifest) -> tuple[str, ...]:
    """What a bank has not, because the version that made it did not look for it; such as "parts"."""
    known = manifest.meta.get("looked_for")
    told = known if isinstance(known, list) else []
    return tuple(need.what for need in LOOKED_FOR if f"{need.what}.npy" not in manifest.files and need.what not in told)


def ensure_bank(artifacts: Artifacts, recipe: Recipe, progress: Progress, dataset: Dataset | None = None) -> str:
    """Make sure that the recipe's feature bank is in the store; returns its key.

    Extraction resumes where an earlier one was killed.

    Args:
        artifacts: of the store.
        recipe: its data and backbone define the bank.
        progress: receives each step.
        dataset: the recipe's data set, if it has been loaded already.

    Raises:
        TunerError: the data are missing or broken, or the disk is full.
        UsageError: the bank in the store is too old for an objective.
    """
    with progress.step("looking for the features"):
        from tuner.features.extract import BankSource

        source = BankSource(recipe.data, recipe.backbone, dataset)
        if (found := artifacts.find("banks", source.key)) is not None:
            if source.dataset.parts is not None and PARTS.what in not_looked_for(found):
                _tell_of_missing_parts(artifacts, recipe, source.key, progress)
            if isinstance(licence := found.meta.get("backbone_licence"), str) and (note := licence_note(licence)):
                progress.say(note)
            return source.key
    return publish_bank(artifacts, source, progress)


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


def publish_bank(artifacts: Artifacts, source: "BankSource", progress: Progress) -> str:
    """As `ensure_bank`, after the bank was not found in the store."""
    folder = made_folder(cache_root() / "extract") / source.key
    with (
        _alone(folder.with_suffix(".lock"), progress),
        _alone_everywhere(artifacts, source.key, progress) as is_mine,
    ):
        if is_mine and artifacts.find("banks", source.key) is None:
            _extract(artifacts, source, folder, progress)
    return source.key


def _extract(artifacts: Artifacts, source: "BankSource", folder: Path, progress: Progress) -> None:
    """Extract a bank in the folder, publish it, and remove the folder."""
    with progress.step(f"extracting features of {source.data.name} by {source.backbone.name}") as step:
        bank = source.extract(folder, progress=step.count, note=progress.say, say=step.at)
    meta = {
        "data": source.data.name,
        "backbone": source.backbone.name,
        "backbone_licence": bank.licence,
        "n_images": len(bank.labels),
        "n_classes": len(bank.class_names),
        "dim": bank.dim,
        "grid": list(bank.grid),
        "looked_for": [need.what for need in LOOKED_FOR],
    }
    size_mb = sum(file.stat().st_size for file in folder.rglob("*")) / 1e6
    with progress.step(f"publishing {size_mb:,.0f} MB of features in {artifacts.store.url}"):
        artifacts.publish("banks", source.key, folder, meta)
        shutil.rmtree(folder)
    progress.say(
        f"feature bank {source.key[:8]}: {meta['n_images']} images, {meta['n_classes']} classes, "
        f"{bank.grid[0]} x {bank.grid[1]} tokens of width {bank.dim}"
    )


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


def n_classes_of(artifacts: Artifacts, bank: str) -> int:
    """Number of classes of a bank in the store."""
    manifest = artifacts.find("banks", bank)
    assert manifest is not None, "the bank is published before any trial starts"
    return manifest.told("n_classes", int)
