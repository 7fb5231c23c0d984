"""Who is trained on and who is held out: a stratified seeded cut, or a split file."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tuner.errors import TunerError, UsageError


def stratified_split(
    labels: np.ndarray, fraction: float, seed: int, class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Holds out a share of every class.

    Args:
        labels: class indices, (n,) integers.
        fraction: share of each class held out, in [0, 1); 0 holds out nothing. A class keeps at least one image
            on both sides.
        seed: seed of the cut.
        class_names: used in the error message.

    Returns:
        (n,) bool, True where an image is held out.

    Raises:
        UsageError: a class has one image only, or the fraction is not a share.
    """
    if not 0 <= fraction < 1:
        raise UsageError(f"held-out fraction {fraction}", "0 <= fraction < 1", "choose a share such as 0.2")
    held_out = np.zeros(len(labels), dtype=np.bool_)
    if fraction == 0:
        return held_out
    classes, counts = np.unique(labels, return_counts=True)
    if (lonely := classes[counts == 1]).size:
        names = ", ".join(class_names[c] if class_names is not None else f"class {c}" for c in lonely)
        raise UsageError(
            f"only one image of {names}",
            "at least two images of every class, one for each side of the split",
            "add images or remove the class",
        )
    generator = np.random.default_rng(seed)
    for label, count in zip(classes, counts, strict=True):
        n_held_out = min(max(round(fraction * count), 1), count - 1)
        held_out[generator.permutation(np.flatnonzero(labels == label))[:n_held_out]] = True
    return held_out


def read_split_file(file: Path, paths: Sequence[str]) -> np.ndarray:
    """Reads a CSV with the columns `path` and `split` (train or test).

    Args:
        file: the CSV.
        paths: the data set's image paths.

    Returns:
        (n_images,) bool, True for train, in the order of `paths`.

    Raises:
        TunerError: the file cannot be read.
        UsageError: a column is missing, a split has another name, or the paths are not the data set's.
    """
    try:
        with file.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise TunerError(
            f"split file {file} cannot be read: {error}", "a CSV `path,split`", "check data.split_file"
        ) from error
    if not rows or not {"path", "split"} <= rows[0].keys():
        raise UsageError(f"split file {file} lacks columns", "a header `path,split` and one row an image", "correct it")
    sides = {row["path"]: row["split"] for row in rows}
    if unknown := sorted({str(side) for side in sides.values()} - {"train", "test"}):
        raise UsageError(f"split file {file} has split {', '.join(unknown)}", "train or test", "correct it")
    if wrong := sorted(set(paths) ^ set(sides)):
        raise UsageError(
            f"split file {file} and the images differ in {len(wrong)} paths, such as {', '.join(wrong[:5])}",
            "every image once, by its path relative to the image folder",
            "correct the split file or the folder",
        )
    return np.array([sides[path] == "train" for path in paths], dtype=np.bool_)
