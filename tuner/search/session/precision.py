"""Resolves `precision: auto` once, when a search starts, so that each key has one number type.

A search that continues on another machine keeps its precision.
"""

import dataclasses
from collections.abc import Mapping

from tuner.recipe import Recipe
from tuner.search.session.address import LOCAL_RAY, ray_address
from tuner.search.stages import trained


def settle_precision(recipe: Recipe) -> Recipe:
    """The recipe with `float32` or `bfloat16` instead of `auto` in every stage that trains.

    Under `protocol: paper` it is float32, as published. On this machine it is the type that its devices compute fast.
    On a cluster it is bfloat16 for a stage with a GPU, else float32, because the CPUs of a cluster may differ.
    """
    stages = [stage.name for stage in trained()]
    if all(getattr(recipe, stage).precision != "auto" for stage in stages):
        return recipe
    if recipe.protocol == "paper":
        return _with(recipe, dict.fromkeys(stages, "float32"))
    if ray_address() == LOCAL_RAY:
        return _with(recipe, {stage: _on_this_machine(getattr(recipe.resources, stage).gpus) for stage in stages})
    from tuner.search.session.connect import connect_ray  # imports Ray, which a finished search does not need

    with connect_ray(recipe.resources) as held:
        return _with(recipe, {stage: "bfloat16" if held[stage].gpus else "float32" for stage in stages})


def adopt_precision(recipe: Recipe, stored: Recipe) -> Recipe:
    """The recipe with the stored recipe's precision instead of `auto`."""
    return _with(recipe, {stage.name: getattr(stored, stage.name).precision for stage in trained()})


def _on_this_machine(gpus: float) -> str:
    import torch

    from tuner.features.device import choose_device
    from tuner.qpm.precision import settle

    return settle("auto", choose_device("auto") if gpus else torch.device("cpu"))


def _with(recipe: Recipe, precision: Mapping[str, str]) -> Recipe:
    """The recipe with these number types instead of `auto`, by stage."""
    stages = {stage: getattr(recipe, stage) for stage in precision}
    settled = {
        stage: dataclasses.replace(config, precision=precision[stage])
        for stage, config in stages.items()
        if config.precision == "auto"
    }
    return dataclasses.replace(recipe, **settled)
