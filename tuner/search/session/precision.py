"""What `precision: auto` comes to: settled once, when a search starts, so that a key names one number type.

A search that is carried on elsewhere keeps what it was started with.
"""

import dataclasses

from tuner.recipe import Recipe
from tuner.search.session.address import LOCAL_RAY, ray_address

STAGES = ("dense", "finetune")


def settle_precision(recipe: Recipe) -> Recipe:
    """The recipe with `float32` or `bfloat16` for `auto` in both trained stages.

    Under `protocol: paper` it is float32, as published. On this machine it is what its devices compute fast. On a
    cluster it is bfloat16 for a stage that holds a GPU, else float32, since CPUs of a cluster need not be alike.
    """
    if all(getattr(recipe, stage).precision != "auto" for stage in STAGES):
        return recipe
    if recipe.protocol == "paper":
        return _with(recipe, **dict.fromkeys(STAGES, "float32"))
    if ray_address() == LOCAL_RAY:
        return _with(recipe, **{stage: _on_this_machine(getattr(recipe.resources, stage).gpus) for stage in STAGES})
    from tuner.search.session.connect import connect_ray  # and Ray, which a finished search does not need

    with connect_ray(recipe.resources) as held:
        return _with(recipe, **{stage: "bfloat16" if held[stage].gpus else "float32" for stage in STAGES})


def adopt_precision(recipe: Recipe, stored: Recipe) -> Recipe:
    """The recipe with what a stored one has in place of `auto`."""
    return _with(recipe, **{stage: getattr(stored, stage).precision for stage in STAGES})


def _on_this_machine(gpus: float) -> str:
    import torch

    from tuner.features.device import choose_device
    from tuner.qpm.precision import settle

    return settle("auto", choose_device("auto") if gpus else torch.device("cpu"))


def _with(recipe: Recipe, **precision: str) -> Recipe:
    """The recipe with these in place of `auto`, by stage."""
    stages = {stage: getattr(recipe, stage) for stage in STAGES}
    settled = {
        stage: dataclasses.replace(config, precision=precision[stage])
        for stage, config in stages.items()
        if config.precision == "auto"
    }
    return dataclasses.replace(recipe, **settled)
