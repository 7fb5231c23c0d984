"""Reads Stanford Cars in its common layouts: one cars_annos.mat, the devkit's .mat files, or a CSV."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.dataset import Dataset, Entry, assemble, need_folder
from tuner.data.mat import read_mat
from tuner.data.paths import clean_path, path_on_disk
from tuner.data.settings import DataConfig
from tuner.data.tables import read_csv, unique
from tuner.errors import TunerError, UsageError

Listing = tuple[list[Entry], list[str]]

LAYOUT = (
    "a folder with cars_annos.mat and car_ims/, or devkit/cars_meta.mat with cars_train/ and cars_test/ and their "
    "annotations (cars_test_annos_withlabels.mat), or annotations.csv `path,class,split`"
)
TODO = (
    "get the archives of Stanford Cars (Krause et al. 2013; its page is offline, others have copies), run qpm-tuner "
    "data fetch cars --root data/stanford_cars --from THEIR_FOLDER, and set data.root"
)


def load_cars(config: DataConfig) -> Dataset:
    """Read whichever annotation exists; Cars has no object masks of its own.

    Raises:
        TunerError: the folder or its annotation is missing or malformed.
    """
    root = need_folder(Path(config.root), LAYOUT, TODO)
    if (root / "annotations.csv").is_file():
        entries, names = _from_csv(root / "annotations.csv")
    elif (root / "cars_annos.mat").is_file():
        entries, names = _from_single_mat(root / "cars_annos.mat")
    elif (root / "devkit").is_dir():
        entries, names = _from_devkit(root)
    else:
        raise TunerError(f"no annotation of Stanford Cars in {root}", LAYOUT, TODO)
    return assemble(config, root, entries, names)


def _from_csv(file: Path) -> Listing:
    columns = ("path", "class", "split")
    rows = list(unique(read_csv(file, columns, TODO), "path", columns[1:]).values())
    names = sorted({row["class"] for row in rows})
    labels = {name: i for i, name in enumerate(names)}
    paths = (path_on_disk(file.parent, row["path"]) for row in rows)
    return [
        Entry(path, labels[row["class"]], row.is_train("split")) for path, row in zip(paths, rows, strict=True)
    ], names


def _from_single_mat(file: Path) -> Listing:
    content = read_mat(file, ("annotations", "class_names"), LAYOUT, TODO)
    names = _names(content)
    rows = _fields(content, ("relative_im_path", "class", "test"), file)
    return [
        Entry(clean_path(str(path)), _label(label, names, i, file), not _flag(test, i, file))
        for i, (path, label, test) in enumerate(rows, start=1)
    ], names


def _from_devkit(root: Path) -> Listing:
    devkit = root / "devkit"
    labelled = "cars_test_annos_withlabels.mat"  # published later than the devkit, often put beside it
    tests = next((folder / labelled for folder in (devkit, root) if (folder / labelled).is_file()), devkit / labelled)
    names = _names(read_mat(devkit / "cars_meta.mat", ("class_names",), LAYOUT, TODO))
    entries = []
    for file, folder in ((devkit / "cars_train_annos.mat", "cars_train"), (tests, "cars_test")):
        is_train = folder == "cars_train"
        rows = _fields(read_mat(file, ("annotations",), LAYOUT, TODO), ("fname", "class"), file)
        entries += [
            Entry(clean_path(f"{folder}/{name}"), _label(label, names, i, file), is_train)
            for i, (name, label) in enumerate(rows, start=1)
        ]
    return entries, names


def _names(content: dict[str, Any]) -> list[str]:
    return [str(name) for name in np.atleast_1d(content["class_names"])]


def _fields(content: dict[str, Any], columns: Sequence[str], file: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of the MATLAB struct `annotations`.

    Raises:
        UsageError: it is not such a struct.
    """
    rows = np.atleast_1d(content["annotations"])
    if missing := [name for name in columns if name not in (rows.dtype.names or ())]:
        raise UsageError(f"annotations in {file} lack {', '.join(missing)}", f"the fields {', '.join(columns)}", TODO)
    return zip(*(rows[name] for name in columns), strict=True)


def _label(value: Any, names: Sequence[str], number: int, file: Path) -> int:
    """A class label, counted from 0; MATLAB counts from 1."""
    if isinstance(value, (int, float, np.number)) and value in range(1, len(names) + 1):
        return int(value) - 1
    raise UsageError(
        f"{file}, annotation {number}: class {value!r}",
        f"1 to {len(names)}, as class_names has",
        "correct the annotation",
    )


def _flag(value: Any, number: int, file: Path) -> bool:
    if isinstance(value, (int, float, np.number, np.bool_)) and value in (0, 1):
        return bool(value)
    raise UsageError(f"{file}, annotation {number}: test {value!r}", "0 or 1", "correct the annotation")
