"""Checks before any computation that the images can be split as the protocol requires."""

import itertools

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.words import count, some
from tuner.errors import UsageError
from tuner.qpm.held_out import FEWEST
from tuner.recipe import Recipe
from tuner.recipe.space import bounds


def refuse_unusable(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse images that cannot be split as the recipe's protocol requires.

    Raises:
        UsageError: nothing is held out as test, a class has too few different training images (it is named), or there
            are fewer pairs of classes than every trial is to force.
    """
    _refuse_too_many_pairs(recipe, len(dataset.class_names))
    if dataset.is_train.all():
        raise UsageError(
            f"no test image in {recipe.data.name}",
            "held-out test images, on which the models of the front are measured",
            "raise data.test_fraction, or correct the split",
        )
    needed = _needed(recipe)
    images = np.flatnonzero(dataset.is_train)
    if dataset.content is not None:  # identical copies count once
        images = images[np.unique(dataset.content[images], return_index=True)[1]]
    found = np.bincount(dataset.labels[images], minlength=len(dataset.class_names))
    few = [name for name, n in zip(dataset.class_names, found, strict=True) if n < needed]
    if few:
        told = count(len(few), "class has", "classes have")
        raise UsageError(
            f"{told} fewer than {needed} different training images: {some(few)}",
            "one image for training and one for validation, besides the test images, and two more for dense.held_out",
            "add images, leave these classes out, or use protocol=paper and dense.held_out=0, which need none of these",
        )


def _needed(recipe: Recipe) -> int:
    """Training images of a class, validation included, with which every trial can be run."""
    most = max(bounds(recipe.space.get("dense.held_out", {"choices": [recipe.dense.held_out]})))
    trained = FEWEST if most > 0 else 1
    if recipe.protocol == "paper":
        return trained
    share = recipe.validation_fraction
    return next(n for n in itertools.count(2) if n - min(max(round(share * n), 1), n - 1) >= trained)


def _refuse_too_many_pairs(recipe: Recipe, n_classes: int) -> None:
    dimension = recipe.space.get("assign.forced_pairs")
    fewest = min(bounds(dimension)) if dimension else recipe.assign.forced_pairs
    most = n_classes * (n_classes - 1) // 2
    if fewest > most:
        raise UsageError(
            f"assign.forced_pairs={fewest}",
            f"at most {most}, the pairs of {n_classes} classes",
            f"lower assign.forced_pairs; CHiQPM takes {n_classes // 2}, half of the classes",
        )
