"""Checks before any computation that the images can be split as the protocol requires."""

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.words import count, some
from tuner.errors import UsageError
from tuner.recipe import Recipe


def refuse_unusable(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse images that cannot be split as the recipe's protocol requires.

    Raises:
        UsageError: nothing is held out as test, or a class has too few different training images; it is named.
    """
    if dataset.is_train.all():
        raise UsageError(
            f"no test image in {recipe.data.name}",
            "held-out test images, on which the models of the front are measured",
            "raise data.test_fraction, or correct the split",
        )
    needed = 1 if recipe.protocol == "paper" else 2
    images = np.flatnonzero(dataset.is_train)
    if dataset.content is not None:  # identical copies count once
        images = images[np.unique(dataset.content[images], return_index=True)[1]]
    found = np.bincount(dataset.labels[images], minlength=len(dataset.class_names))
    few = [name for name, n in zip(dataset.class_names, found, strict=True) if n < needed]
    if few:
        told = count(len(few), "class has", "classes have")
        raise UsageError(
            f"{told} fewer than {needed} different training images: {some(few)}",
            "one image for training and one for validation, besides the test images",
            "add images, leave these classes out, or use protocol=paper, which needs no validation image",
        )
