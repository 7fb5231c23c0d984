"""The feature bank of each system: that of the recipe, or one of its own, extracted where the store lacks it."""

import dataclasses
from collections.abc import Sequence

from tuner.base.progress import Progress
from tuner.data.dataset import Dataset
from tuner.recipe import Recipe
from tuner.search.execute.banks import ensure_bank
from tuner.search.systems.system import System, Tokens
from tuner.store import Artifacts


def banks_of(
    systems: Sequence[System],
    recipe: Recipe,
    artifacts: Artifacts,
    progress: Progress,
    dataset: Dataset | None = None,
    bank: str = "",
) -> dict[str, Tokens]:
    """What each system reads, by its name.

    Args:
        systems: which.
        recipe: data and backbone.
        artifacts: of the store.
        progress: receives progress.
        dataset: the data set, where it has been loaded already.
        bank: key of the bank of the recipe, where it is in the store.

    Raises:
        TunerError: the images or the weights are missing.
    """
    found: dict[str, Tokens] = {}
    known: dict[str, Tokens] = {}
    for system in systems:
        backbone = recipe.backbone if system.backbone is None else system.backbone(recipe)
        if (name := repr(backbone)) not in known:
            is_known = bank and system.backbone is None
            key = (
                bank
                if is_known
                else ensure_bank(artifacts, dataclasses.replace(recipe, backbone=backbone), progress, dataset)
            )
            known[name] = Tokens.of(artifacts, key)
        found[system.name] = known[name]
    return found
