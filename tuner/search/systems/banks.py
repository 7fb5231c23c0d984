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
    known = {repr(recipe.backbone): Tokens.of(artifacts, bank)} if bank else {}
    for system in systems:
        backbone = recipe.backbone if system.backbone is None else system.backbone(recipe)
        if (name := repr(backbone)) not in known:
            asked = dataclasses.replace(recipe, backbone=backbone)
            known[name] = Tokens.of(artifacts, ensure_bank(artifacts, asked, progress, dataset))
        found[system.name] = known[name]
    return found
