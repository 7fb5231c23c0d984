"""Compares systems on a recipe's data and backbone, without a search; its space is not used.

Nothing is chosen by these results, and nothing but the stages is kept: a second comparison finds them in the store.
"""

import dataclasses
from collections.abc import Sequence

from tuner.base.progress import Progress
from tuner.data.load import load_dataset
from tuner.data.remote_digests import digests_told
from tuner.features.kept import require_patches
from tuner.features.registry import make_backbone, require_frozen
from tuner.recipe import Recipe
from tuner.search.driver.adapter_check import refuse_unfit
from tuner.search.driver.split_check import refuse_unusable
from tuner.search.execute.banks import on_workers
from tuner.search.session.precision import settle_precision
from tuner.search.systems.banks import banks_of
from tuner.search.systems.collecting import collect, comparison, planned, seeds_from
from tuner.search.systems.rows import Comparison
from tuner.search.systems.table import ON_FROZEN_FEATURES, chosen
from tuner.store import Artifacts, Store


def compare_systems(
    store: Store, recipe: Recipe, progress: Progress, *, systems: Sequence[str] = (), seeds: int = 3
) -> Comparison:
    """Train and measure systems over seeds, everything from the first training on repeated; one test split for all.

    Args:
        store: where the bank and the stages are kept.
        recipe: data, backbone, adapter and training; seeds count from its own on.
        progress: receives progress.
        systems: names of systems; empty: all on frozen features.
        seeds: number of seeds.

    Raises:
        UsageError: a system is unknown, or the images cannot be split, or the adapter does not fit the backbone.
        TunerError: it cannot run; completed work is kept.
    """
    recipe = dataclasses.replace(recipe, space={})
    wanted, numbers = chosen(systems, ON_FROZEN_FEATURES), seeds_from(recipe.seed, seeds)
    artifacts = Artifacts(store)
    if any(system.backbone is None for system in wanted):
        require_frozen(recipe.backbone)
        if more := [system.name for system in wanted if system.backbone is None and system.name != "probe"]:
            require_patches(recipe.backbone, " and ".join(more))
    with on_workers(recipe, progress):
        with progress.step(f"reading the data: {recipe.data.name}") as step, digests_told(step):
            dataset = load_dataset(recipe.data)
            refuse_unusable(recipe, dataset)
            if any(system.backbone is None for system in wanted):
                refuse_unfit(recipe, make_backbone(recipe.backbone, recipe.data.name))
        banks = banks_of(wanted, recipe, artifacts, progress, dataset)
    settled = settle_precision(recipe)
    planned_rows = [planned(system, settled, banks[system.name]) for system in wanted]
    rows = collect(artifacts, planned_rows, numbers, settled, progress)
    return comparison(rows, numbers, settled, banks.values())
