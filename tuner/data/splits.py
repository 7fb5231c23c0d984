"""Stratified, seeded train/test split that keeps copies of an image on one side."""

from collections.abc import Sequence

import numpy as np

from tuner.data.duplicates import numbered
from tuner.data.group_split import groups_by_class
from tuner.data.words import some
from tuner.errors import UsageError

TABLE_BITS = 2**31  # the table of reachable sums of more groups would take more than 256 MB


def stratified_split(
    labels: np.ndarray,
    fraction: float,
    seed: int,
    class_names: Sequence[str] | None = None,
    content: np.ndarray | None = None,
) -> np.ndarray:
    """Hold out a share of every class.

    Args:
        labels: class indices, (n,) integers.
        fraction: share of each class held out, in [0, 1); 0 holds out nothing. A class keeps at least one image
            on both sides.
        seed: seed of the split.
        class_names: for error messages.
        content: equal numbers for images with equal contents, or that belong together for another reason, (n,)
            integers; these stay on one side, and the share is matched as closely as the group sizes allow. Where such
            a group has images of several classes, whole groups are held out. None: all images differ.

    Returns:
        (n,) bool, True where an image is held out.

    Raises:
        UsageError: a class has only one image (not counting copies), or the fraction is not in [0, 1).
    """
    if not 0 <= fraction < 1:
        raise UsageError(f"held-out fraction {fraction}", "0 <= fraction < 1", "choose a share such as 0.2")
    held_out = np.zeros(len(labels), dtype=np.bool_)
    if fraction == 0:
        return held_out
    if content is None:
        content = np.arange(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    _, first = np.unique(numbered(labels, content), return_index=True)
    distinct = np.unique(labels[first], return_counts=True)[1]
    if lonely := classes[distinct == 1].tolist():
        names = some([class_names[c] if class_names is not None else f"class {c}" for c in lonely])
        raise UsageError(
            f"only one image of {names}{', copies not counted' if counts[distinct == 1].max() > 1 else ''}",
            "at least two images per class, one for each side of the split",
            "add images or remove the class",
        )
    generator = np.random.default_rng(seed)
    if len(np.unique(content)) < distinct.sum():
        return _whole_groups(labels, fraction, generator, classes, class_names, content)
    for label, count in zip(classes, counts, strict=True):
        n_held_out = min(max(round(fraction * count), 1), count - 1)
        drawn = generator.permutation(np.flatnonzero(labels == label))
        _, first, sizes = np.unique(content[drawn], return_index=True, return_counts=True)
        order = np.argsort(first)  # groups in random order
        taken = _closest(sizes[order].tolist(), n_held_out)
        held_out[drawn[np.isin(content[drawn], content[drawn[first[order[taken]]]])]] = True
    return held_out


def _whole_groups(
    labels: np.ndarray,
    fraction: float,
    generator: np.random.Generator,
    classes: np.ndarray,
    class_names: Sequence[str] | None,
    content: np.ndarray,
) -> np.ndarray:
    """Hold out groups that have images of several classes, in random order, with the share nearest to `fraction`; if
    that does not give every class nearly the same share, groups are chosen by their classes (`groups_by_class`).

    Raises:
        UsageError: a class then has images on one side only.
    """
    groups, group, sizes = np.unique(content, return_inverse=True, return_counts=True)
    order = generator.permutation(len(groups))
    taken = _closest(sizes[order].tolist(), max(round(fraction * len(labels)), 1))
    held_out = np.isin(group, order[taken])
    if not _is_even(labels, held_out):
        held_out = groups_by_class(labels, group, fraction, order)[group]
    if missing := [c for c in classes.tolist() if len(np.unique(held_out[labels == c])) < 2]:
        names = some([class_names[c] if class_names is not None else f"class {c}" for c in missing])
        raise UsageError(
            f"images of {names} are on one side of the split only, since groups of images stay together",
            "groups that all have images of every class, or nearly so",
            "make smaller groups, or give the split in a file",
        )
    return held_out


def _is_even(labels: np.ndarray, held_out: np.ndarray) -> bool:
    """Whether nearly the same share of every class is held out, and each class has images on both sides."""
    all_of, held_of = np.bincount(labels), np.bincount(labels[held_out], minlength=labels.max() + 1)
    goal = held_out.mean() * all_of
    there = all_of > 0
    on_both = (held_of > 0) & (held_of < all_of)
    return bool((on_both & (np.abs(held_of - goal) <= np.maximum(1, goal / 2)))[there].all())


def _closest(sizes: Sequence[int], goal: int) -> list[int]:
    """Choose groups whose sizes add up as closely as possible to `goal`, preferring earlier ones.

    At least one group is taken and one left. Reachable sums are bits of an integer: bit s of `ways[i]` is set if some
    of the groups i, i+1, ... add up to s.
    """
    if max(sizes) == 1:
        return list(range(goal))
    limit = min(goal + max(sizes), sum(sizes) - 1)  # larger sums are never closer
    if limit * len(sizes) > TABLE_BITS:
        return _filled(sizes, goal)
    ways = [1]
    for size in reversed(sizes):
        ways.append(ways[-1] | (ways[-1] << size) & ((2 << limit) - 1))
    ways.reverse()
    sums = (s for s in range(1, limit + 1) if ways[0] >> s & 1)
    left = min(sums, key=lambda s: (abs(s - goal), s))
    taken = []
    for i, size in enumerate(sizes):
        if size <= left and ways[i + 1] >> (left - size) & 1:
            taken.append(i)
            left -= size
    return taken


def _filled(sizes: Sequence[int], goal: int) -> list[int]:
    """Choose groups in their order while they fit; at least one, and not all."""
    taken, left = [], goal
    for i, size in enumerate(sizes):
        if size <= left:
            taken.append(i)
            left -= size
    return (taken or [min(range(len(sizes)), key=sizes.__getitem__)])[: len(sizes) - 1]
