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
IMAGE_S = 0.002  # an image to be decoded
TRANSFORMER = 288.0  # operations for a token of width 1: 12 blocks of 12 weights, each multiplied and added
PROGRAM_S = 5e-5  # for each class and feature that the program chooses from


def guess_s(stage: str, recipe: Recipe, sizes: Sizes, held: StageResources) -> float:
    """Seconds that a stage of a trial runs.

    Args:
        stage: its name in the table of stages.
        recipe: of the trial, its parameters filled in.
        sizes: of the data.
        held: what a run of the stage holds; its share of a GPU is settled.
    """
    if STAGES[stage].makes_a_bank:
        return LEAST_S + sizes.n_images * (IMAGE_S + TRANSFORMER * sizes.dim**2 * sizes.tokens / _speed(held))
    does = STAGES[stage].does
    if does == "solve":
        return LEAST_S + PROGRAM_S * sizes.n_classes * recipe.adapter.width
    adapter = recipe.adapter
    inner = max(0, adapter.n_layers - 2) * adapter.hidden**2
    weights = sizes.dim * adapter.hidden + inner + adapter.hidden * adapter.width
    speed = _speed(held)
    if does != "train":
        return LEAST_S + 2.0 * weights * sizes.tokens * sizes.n_images / speed
    training = recipe.dense if stage == "dense" else recipe.finetune
    steps = training.epochs * max(1.0, sizes.n_train / training.batch_size)
    return LEAST_S + STEP_S * steps + 6.0 * weights * sizes.tokens * sizes.n_train * training.epochs / speed


def _speed(held: StageResources) -> float:
    """Operations of a network per second."""
    return GPU_FLOPS * held.gpus if held.gpus > 0 else CORE_FLOPS * max(1.0, held.cpus)
