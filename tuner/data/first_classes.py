"""Keeps the first classes of a data set (`data.classes`), such as the first 50 of CUB's 200."""

import numpy as np

from tuner.data.settings import DataConfig
from tuner.data.words import count
from tuner.errors import UsageError


def first_classes(config: DataConfig, labels: np.ndarray, n_classes: int) -> list[int]:
    """The positions of the images of the first `config.classes` classes, ascending; all of them where it is 0.

    Args:
        config: the recipe's data settings.
        labels: class indices of all images, (n,) int64.
        n_classes: number of classes in the layout.

    Raises:
        UsageError: there are fewer classes.
    """
    if config.classes > n_classes:
        raise UsageError(
            f"data.classes={config.classes}, but {config.root or config.name} has "
            f"{count(n_classes, 'class', 'classes')}",
            f"2 to {n_classes}, or 0 for all",
            "lower data.classes",
        )
    kept: list[int] = np.flatnonzero(labels < (config.classes or n_classes)).tolist()
    return kept


def told_of(config: DataConfig, n_classes: int) -> list[str]:
    """A note where classes are left out."""
    left_out = 0 < config.classes < n_classes
    return [f"the first {config.classes} of {n_classes} classes (data.classes)"] if left_out else []


def refuse_other_classes(config: DataConfig, n_classes: int) -> None:
    """Refuse `data.classes` where a data set's loader has taken no notice of it.

    Raises:
        UsageError: the number of classes is another one.
    """
    if config.classes not in (0, n_classes):
        raise UsageError(
            f"data.classes={config.classes} with data.name={config.name}, which has all its {n_classes} classes",
            "a data set whose reader takes data.classes, such as cub, cars, folder and manifest, or data.classes=0",
            "set data.classes=0",
        )
