"""Duplicate images, found by SHA-256: refused under two labels, reported if they cross a split.

A held-out copy of a training image measures memorization, not generalization. So every split made here keeps copies on
one side. Given splits are not changed, but reported.
"""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tuner.data.words import count, printable, some
from tuner.errors import UsageError

BROKEN = ("", sha256().hexdigest())  # unreadable and empty files do not count as copies of each other


def group_by_content(digests: Sequence[str]) -> np.ndarray:
    """For each image the index of the first one with equal contents, (n,) int64.

    Args:
        digests: SHA-256 of each image; "" for one that cannot be read.
    """
    first: dict[str, int] = {}
    return np.array(
        [i if digest in BROKEN else first.setdefault(digest, i) for i, digest in enumerate(digests)], dtype=np.int64
    )


def within_labels(content: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each image the first one with the same content and label, (n,) int64."""
    _, first, which = np.unique(numbered(labels, content), return_index=True, return_inverse=True)
    return first[which]


def numbered(labels: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Equal numbers for images with the same label and content, ascending by label, (n,) int64."""
    groups, group = np.unique(content, return_inverse=True)
    return np.asarray(labels, dtype=np.int64) * len(groups) + group


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What two groupings join directly or by way of others: for each image the first one of its group, (n,) int64.

    Args:
        first: for each image the index of another one in its group, (n,) int64.
        second: the same by another grouping.
    """
    n = len(first)
    own = np.arange(n)
    links = coo_array(
        (np.ones(2 * n, dtype=np.bool_), (np.concatenate([own, own]), np.concatenate([first, second]))), shape=(n, n)
    )
    _, which = connected_components(links, directed=False)
    _, where, group = np.unique(which, return_index=True, return_inverse=True)
    return where[group]


def refuse_two_labels(
    content: np.ndarray, labels: np.ndarray, paths: Sequence[str], class_names: Sequence[str]
) -> None:
    """Refuse one image under two labels.

    Raises:
        UsageError: an image has two labels; the message names both files and classes.
    """
    wrong = np.flatnonzero(labels != labels[content])
    if not len(wrong):
        return
    i, first = int(wrong[0]), int(content[wrong[0]])
    raise UsageError(
        f"{printable(paths[first])} and {printable(paths[i])} are the same image, byte for byte, in two classes, "
        f"{class_names[labels[first]]} and {class_names[labels[i]]} ({count(len(wrong), 'such copy', 'such copies')})",
        "one label for one image",
        "decide which class is right, and remove the other copy or its row in the listing",
    )


def describe_torn(groups: np.ndarray, is_train: np.ndarray, paths: Sequence[str]) -> list[str]:
    """A note on groups that a given split has on both sides; none if there are none."""
    has_train, has_test = (np.bincount(groups[side], minlength=len(groups)) > 0 for side in (is_train, ~is_train))
    torn = np.flatnonzero(has_train & has_test).tolist()
    if not torn:
        return []
    return [
        f"{count(len(torn), 'group is', 'groups are')} on both sides of the given split, such as those of "
        f"{some([paths[i] for i in torn])}: not changed, but test accuracy is too high for images of other groups"
    ]


def describe_copies(content: np.ndarray, is_train: np.ndarray, paths: Sequence[str]) -> list[str]:
    """Notes on copies: their number, and which are on both sides of the split."""
    copies: dict[int, list[int]] = defaultdict(list)
    for i in np.flatnonzero(content != np.arange(len(content))):
        copies[int(content[i])].append(int(i))
    if not copies:
        return []
    pairs = [f"{paths[first]} = {paths[others[0]]}" for first, others in copies.items()]
    n = sum(map(len, copies.values()))
    notes = [
        f"{count(n, 'image is an identical copy', 'images are identical copies')} of another, byte for byte, such as "
        f"{some(pairs)}: copies are kept on one side of every split made here"
    ]
    torn = []
    for first, others in copies.items():
        other = next((i for i in others if is_train[i] != is_train[first]), None)
        if other is not None:
            train, test = (first, other) if is_train[first] else (other, first)
            torn.append(f"{paths[train]} (train) = {paths[test]} (test)")
    if torn:
        notes.append(
            f"{count(len(torn), 'image is', 'images are')} both in train and in test of the given split, such as "
            f"{some(torn)}: not changed, but memorized images make test accuracy too high"
        )
    return notes
