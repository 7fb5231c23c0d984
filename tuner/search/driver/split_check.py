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
    labels = dataset.labels[images]
    if dataset.together is not None:  # identical copies count once
        labels = np.unique(np.stack([labels, dataset.together[images]]), axis=1)[0]
    found = np.bincount(labels, minlength=len(dataset.class_names))
    few = [name for name, n in zip(dataset.class_names, found, strict=True) if n < needed]
    if few:
        told = count(len(few), "class has", "classes have")
        raise UsageError(
            f"{told} fewer than {needed} different training images: {some(few)}",
            f"{_purposes(recipe)}, besides the test images",
            "; or ".join(["add images, or leave these classes out", *_without(recipe)]),
        )


def _needed(recipe: Recipe) -> int:
    """Training images of a class, validation included, with which every trial can be run."""
    trained = FEWEST if _holds_out(recipe) else 1
    if recipe.protocol == "paper":
        return trained
    share = recipe.validation_fraction
    return next(n for n in itertools.count(2) if n - min(max(round(share * n), 1), n - 1) >= trained)


def _purposes(recipe: Recipe) -> str:
    """What the images of a class are needed for."""
    told = [f"{FEWEST} of each class for training with dense.held_out" if _holds_out(recipe) else "one for training"]
    told += [] if recipe.protocol == "paper" else ["one for validation"]
    return " and ".join(told)


def _without(recipe: Recipe) -> list[str]:
    """The settings that need fewer images."""
    told = [] if recipe.protocol == "paper" else ["use protocol=paper, which needs no validation image"]
    return [*told, *(["set dense.held_out=0"] if _holds_out(recipe) else [])]


def _holds_out(recipe: Recipe) -> bool:
    """Whether a trial may hold images out of the dense stage."""
    return bool(max(bounds(recipe.space.get("dense.held_out", {"choices": [recipe.dense.held_out]}))) > 0)


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
