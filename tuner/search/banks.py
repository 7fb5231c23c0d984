"""The feature bank of a search: found in the store, or extracted with a progress bar and published there."""

import shutil

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tuner.folders import cache_root, made_folder
from tuner.recipe import Recipe
from tuner.store import Artifacts


def ensure_bank(artifacts: Artifacts, recipe: Recipe, console: Console) -> str:
    """The key of the recipe's feature bank, which is in the store afterwards.

    Extraction goes on where an earlier one was killed.

    Raises:
        TunerError: if the data are missing or broken, or the disk is full.
    """
    from tuner.features.extract import bank_key, extract_bank

    key = bank_key(recipe.data, recipe.backbone)
    if artifacts.find("banks", key) is not None:
        return key
    folder = made_folder(cache_root() / "extract") / key
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"features of {recipe.data.name} by {recipe.backbone.name}", total=None)
        bank = extract_bank(
            recipe.data,
            recipe.backbone,
            folder,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            note=lambda sentence: bar.console.print(sentence, markup=False, highlight=False, soft_wrap=True),
        )
    meta = {
        "data": recipe.data.name,
        "backbone": recipe.backbone.name,
        "n_images": len(bank.labels),
        "n_classes": len(bank.class_names),
        "dim": bank.dim,
        "grid": list(bank.grid),
    }
    artifacts.publish("banks", key, folder, meta)
    shutil.rmtree(folder)
    console.print(
        f"feature bank {key[:8]}: {meta['n_images']} images, {meta['n_classes']} classes, "
        f"{bank.grid[0]} x {bank.grid[1]} tokens of width {bank.dim}"
    )
    return key


def n_classes_of(artifacts: Artifacts, bank: str) -> int:
    """Number of classes of a bank in the store."""
    manifest = artifacts.find("banks", bank)
    assert manifest is not None, "the bank is published before any trial starts"
    return int(manifest.meta["n_classes"])
