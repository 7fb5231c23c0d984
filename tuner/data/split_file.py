"""Reads the split file: a CSV `path,split` that assigns every image to train or test."""

from collections.abc import Sequence

import numpy as np

from tuner.data.paths import clean_path
from tuner.data.place import Place
from tuner.data.tables import read_csv, unique
from tuner.data.words import count, some
from tuner.errors import UsageError


def read_split_file(file: Place, paths: Sequence[str]) -> np.ndarray:
    """Read a CSV with the columns `path` and `split` (train or test).

    Args:
        file: the CSV; `./`, backslashes and decomposed letters in its paths make no difference.
        paths: the data set's image paths.

    Returns:
        (n_images,) bool, True for train, in the order of `paths`.

    Raises:
        TunerError: the file cannot be read.
        UsageError: a column is missing, a split has another name, rows contradict each other, or the paths are not
            the data set's.
    """
    rows = unique(read_csv(file, ("path", "split"), "check data.split_file"), "path", ("split",))
    sides = {name: row.is_train("split") for name, row in rows.items()}
    plain = [clean_path(path) for path in paths]
    unlisted = [path for path, name in zip(paths, plain, strict=True) if name not in rows]
    unknown = [f"{name} ({rows[name].where.rpartition(', ')[2]})" for name in sorted(rows.keys() - set(plain))]
    if unlisted or unknown:
        said = [f"{count(len(unlisted), 'image')} not in it, such as {some(unlisted)}"] if unlisted else []
        said += [f"{count(len(unknown), 'row')} without an image, such as {some(unknown)}"] if unknown else []
        raise UsageError(
            f"split file {file} and the images differ in {count(len(unlisted) + len(unknown), 'path')}: "
            + "; ".join(said),
            "every image once, by its path relative to the image folder",
            "correct the split file or the folder",
        )
    return np.array([sides[name] for name in plain], dtype=np.bool_)
