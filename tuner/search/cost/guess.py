"""A first guess of the seconds that a stage runs, by its size. It is right to a factor, not to a percent.

Once stages have been timed, only the ratio of two guesses counts: twice the epochs take twice as long.
"""

from tuner.recipe import Recipe, StageResources
from tuner.search.cost.sizes import Sizes
from tuner.search.stages import STAGES

FACTOR = 4.0
"""The guess is presumably right within this factor."""

# Measured on two cores with AVX-512 in the log (docs/log.md): digits, two-digit numbers and 50 bird classes.
CORE_FLOPS = 4e10
GPU_FLOPS = 2e13
STEP_S = 0.002  # a step of training on no images
LEAST_S = 0.2  # reading, measuring and publishing
PROGRAM_S = 5e-5  # for each class and feature that the program chooses from


def guess_s(stage: str, recipe: Recipe, sizes: Sizes, held: StageResources) -> float:
    """Seconds that a stage of a trial runs.

    Args:
        stage: its name in the table of stages.
        recipe: of the trial, its parameters filled in.
        sizes: of the data.
        held: what a run of the stage holds; its share of a GPU is settled.
    """
    does = STAGES[stage].does
    if does == "solve":
        return LEAST_S + PROGRAM_S * sizes.n_classes * recipe.adapter.width
    adapter = recipe.adapter
    inner = max(0, adapter.n_layers - 2) * adapter.hidden**2
    weights = sizes.dim * adapter.hidden + inner + adapter.hidden * adapter.width
    speed = GPU_FLOPS * held.gpus if held.gpus > 0 else CORE_FLOPS * max(1.0, held.cpus)
    if does != "train":
        return LEAST_S + 2.0 * weights * sizes.tokens * sizes.n_images / speed
    training = recipe.dense if stage == "dense" else recipe.finetune
    steps = training.epochs * max(1.0, sizes.n_train / training.batch_size)
    return LEAST_S + STEP_S * steps + 6.0 * weights * sizes.tokens * sizes.n_train * training.epochs / speed
