"""The feature bank of a search: found in the store, or extracted and published there, a step told after the other."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tuner.base.folders import cache_root, made_folder
from tuner.base.progress import Progress
from tuner.recipe import Recipe
from tuner.search.record.holder import is_gone, short, this_driver
from tuner.store import Artifacts, Claims
from tuner.store.claims import LATEST_S, SOONEST_S
from tuner.store.disk import locked


def ensure_bank(artifacts: Artifacts, recipe: Recipe, progress: Progress) -> str:
    """The key of the recipe's feature bank, which is in the store afterwards.

    Extraction goes on where an earlier one was killed.

    Raises:
        TunerError: if the data are missing or broken, or the disk is full.
    """
    with progress.step("looking for the features"):
        from tuner.features.extract import bank_key

        key = bank_key(recipe.data, recipe.backbone)
        if artifacts.find("banks", key) is not None:
            return key
    folder = made_folder(cache_root() / "extract") / key
    with _alone(folder.with_suffix(".lock"), progress), _alone_everywhere(artifacts, key, progress) as is_mine:
        if is_mine and artifacts.find("banks", key) is None:
            _extract(artifacts, recipe, key, folder, progress)
    return key


def _extract(artifacts: Artifacts, recipe: Recipe, key: str, folder: Path, progress: Progress) -> None:
    """Extract a bank in the folder, publish it, and remove the folder."""
    from tuner.features.extract import extract_bank

    def note(sentence: str) -> None:
        progress.say(sentence)

    with progress.step(f"extracting features of {recipe.data.name} by {recipe.backbone.name}") as step:
        bank = extract_bank(recipe.data, recipe.backbone, folder, progress=step.count, note=note, say=step.at)
    meta = {
        "data": recipe.data.name,
        "backbone": recipe.backbone.name,
        "n_images": len(bank.labels),
        "n_classes": len(bank.class_names),
        "dim": bank.dim,
        "grid": list(bank.grid),
    }
    size_mb = sum(file.stat().st_size for file in folder.rglob("*")) / 1e6
    with progress.step(f"publishing {size_mb:,.0f} MB of features in {artifacts.store.url}"):
        artifacts.publish("banks", key, folder, meta)
        shutil.rmtree(folder)
    progress.say(
        f"feature bank {key[:8]}: {meta['n_images']} images, {meta['n_classes']} classes, "
        f"{bank.grid[0]} x {bank.grid[1]} tokens of width {bank.dim}"
    )


@contextlib.contextmanager
def _alone(lock: Path, progress: Progress) -> Iterator[None]:
    """Extract for nobody else on this machine meanwhile: whoever has published removes the folder both would use."""
    with locked(lock, wait=False) as is_free:
        if is_free:
            yield
            return
    with contextlib.ExitStack() as held:
        with progress.step("waiting for another search on this machine, which extracts the same features"):
            held.enter_context(locked(lock))
        yield


@contextlib.contextmanager
def _alone_everywhere(artifacts: Artifacts, key: str, progress: Progress) -> Iterator[bool]:
    """Extract for nobody else in this store meanwhile, on whatever machine; False: somebody else has published it."""
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
    """Wait until somebody else's bank is there; False if they have given up, or died."""
    pause_s = SOONEST_S
    with progress.step(f"waiting for {short(holder)}, which extracts the same features for this store"):
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
