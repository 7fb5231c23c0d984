"""The split that is drawn where neither a file nor the layout gives one."""

from collections.abc import Sequence

import numpy as np

from tuner.data.duplicates import numbered, within_labels
from tuner.data.settings import DataConfig
from tuner.data.splits import stratified_split
from tuner.data.words import count, some
from tuner.errors import UsageError


def drawn_split(
    config: DataConfig,
    labels: np.ndarray,
    class_names: Sequence[str],
    content: np.ndarray,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """A stratified split that keeps copies of an image, or groups of images, on one side.

    A class that consists of copies of one image is only trained on.

    Args:
        config: share and seed.
        labels: class indices, (n,) int64.
        class_names: one name per class.
        content: for each image the first one with equal contents, (n,) int64.
        groups: for each image the first one of its group, (n,) int64; None: only copies belong together.

    Returns:
        (n,) bool, True for train.

    Raises:
        UsageError: a class is too small to be split, or all its images are of one group.
    """
    held_out = np.zeros(len(labels), dtype=np.bool_)
    cut = ~_only_copies(labels, content)
    if groups is not None:
        _refuse_lonely(labels[cut], class_names, groups[cut], config.test_fraction)
    together = within_labels(content, labels) if groups is None else groups
    held_out[cut] = stratified_split(labels[cut], config.test_fraction, config.split_seed, class_names, together[cut])
    return ~held_out


def _only_copies(labels: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Which images belong to a class that consists of copies of one image: (n,) bool."""
    several = np.bincount(labels) > 1
    return np.asarray((several & (_distinct(labels, content) == 1))[labels])


def _distinct(labels: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Of each class the number of different contents, (n_classes,)."""
    _, first = np.unique(numbered(labels, content), return_index=True)
    return np.bincount(labels[first], minlength=int(labels.max()) + 1)


def _refuse_lonely(labels: np.ndarray, class_names: Sequence[str], groups: np.ndarray, fraction: float) -> None:
    if fraction == 0 or not len(labels):
        return
    if lonely := np.flatnonzero(_distinct(labels, groups) == 1).tolist():
        raise UsageError(
            f"all images of {count(len(lonely), 'class', 'classes')} belong to one group: "
            f"{some([class_names[label] for label in lonely])}",
            "images of at least two groups in each class, one for each side of the split",
            "add images of another group, leave these classes out, or give the split in a column or file",
        )
