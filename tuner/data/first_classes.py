"""Keeps the first classes of a data set (`data.classes`), such as the first 50 of CUB's 200."""

from collections.abc import Sequence
from pathlib import Path

from tuner.data.settings import DataConfig
from tuner.data.split_file import read_split_file
from tuner.data.words import count
from tuner.errors import UsageError


def of_first_classes(
    config: DataConfig, labels: Sequence[int], paths: Sequence[str], n_classes: int
) -> tuple[list[int], list[bool] | None]:
    """Which images are of the first `config.classes` classes, and their sides in the split file.

    A split file lists all images of a data set, so that one file serves any number of its classes. It is checked
    against all of them here.

    Args:
        config: the recipe's data settings; `classes` is not 0.
        labels: class indices of all images in the layout.
        paths: their paths.
        n_classes: number of classes in the layout.

    Returns:
        The positions of the kept images, ascending, and whether each is on the training side; None without a split
        file.

    Raises:
        UsageError: there are fewer classes, or the split file does not fit the images.
    """
    if config.classes > n_classes:
        raise UsageError(
            f"data.classes={config.classes}, but {config.root or config.name} has "
            f"{count(n_classes, 'class', 'classes')}",
            f"2 to {n_classes}, or 0 for all",
            "lower data.classes",
        )
    kept = [i for i, label in enumerate(labels) if label < config.classes]
    return kept, read_split_file(Path(config.split_file), paths)[kept].tolist() if config.split_file else None


def refuse_other_classes(config: DataConfig, n_classes: int) -> None:
    """Refuse `data.classes` where a data set's loader has taken no notice of it.

    Raises:
        UsageError: the number of classes is another one.
    """
    if config.classes not in (0, n_classes):
        raise UsageError(
            f"data.classes={config.classes} with data.name={config.name}, which has all its {n_classes} classes",
            "a data set whose reader takes data.classes, such as cub, cars and folder, or data.classes=0",
            "set data.classes=0",
        )
