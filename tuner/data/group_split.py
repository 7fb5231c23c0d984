"""Holds out whole groups of images of several classes so that every class gives about the same share.

Greedy, as scikit-learn's StratifiedGroupKFold, but for any share, and in time that grows with the number of images.
"""

import numpy as np
from scipy.sparse import csr_array


def groups_by_class(labels: np.ndarray, group: np.ndarray, fraction: float, order: np.ndarray) -> np.ndarray:
    """Choose the groups to hold out.

    Large groups are decided first, others in the given order. A group is taken if that brings the held-out shares of
    its classes nearer to `fraction`, in the sum of squares. Then classes with images on one side only get their
    smallest group that leaves no other class without images.

    Args:
        labels: class indices, (n,) integers.
        group: group of each image, (n,) integers from 0 to n_groups - 1.
        fraction: share of each class to hold out, in (0, 1).
        order: a permutation of the groups, (n_groups,) integers.

    Returns:
        (n_groups,) bool, True where a group is held out.
    """
    n_groups = len(order)
    table = csr_array((np.ones(len(labels)), (group, labels)), shape=(n_groups, int(labels.max()) + 1))
    table.sum_duplicates()
    sizes: np.ndarray = np.asarray(table.sum(1)).ravel()
    total = np.maximum(np.asarray(table.sum(0)).ravel(), 1)
    held, taken = np.zeros(len(total)), np.zeros(n_groups, dtype=np.bool_)
    for g in order[np.argsort(-sizes[order], kind="stable")].tolist():
        classes, counts = _row(table, g)
        share, before = counts / total[classes], held[classes] / total[classes] - fraction
        if ((before + share) ** 2 - before**2).sum() < 0:
            taken[g] = True
            held[classes] += counts
    for label in np.flatnonzero((held == 0) | (held == total)).tolist():
        _mend(table, sizes, label, held, total, taken)
    return taken


def _mend(
    table: csr_array, sizes: np.ndarray, label: int, held: np.ndarray, total: np.ndarray, taken: np.ndarray
) -> None:
    """Give a class that has images on one side only the smallest group for the other side that harms no class."""
    if 0 < held[label] < total[label]:  # mended with another class
        return
    adds = held[label] == 0
    groups = np.flatnonzero(np.asarray(table[:, [label]].todense()).ravel() > 0)
    for g in groups[np.argsort(sizes[groups], kind="stable")].tolist():
        classes, counts = _row(table, g)
        after = held[classes] + (counts if adds else -counts)
        if ((after > 0) & (after < total[classes])).all():
            taken[g], held[classes] = adds, after
            return


def _row(table: csr_array, g: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes of a group, and its images of each."""
    where = slice(table.indptr[g], table.indptr[g + 1])
    return table.indices[where], table.data[where]
