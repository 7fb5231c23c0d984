"""Reads a compact copy of CUB: metadata.csv, classes.csv, images/, masks/, parts.csv, class_attributes.csv."""

from pathlib import Path

import numpy as np

from tuner.data.dataset import Dataset, Entry, assemble, need_folder
from tuner.data.keypoints import keypoint_array
from tuner.data.paths import path_on_disk
from tuner.data.settings import DataConfig
from tuner.data.tables import read_csv, unique
from tuner.errors import UsageError

LAYOUT = "a folder with metadata.csv, classes.csv, images/<class>/<file> and masks/<image id>.png"
TODO = "set data.root to the folder of the compact copy, or to that of the official archive"


def is_compact(root: Path) -> bool:
    """Whether a folder holds a compact copy."""
    return (root / "metadata.csv").is_file()


def load_compact(config: DataConfig) -> Dataset:
    """Read the compact layout; masks are named by image id.

    Raises:
        TunerError: the folder or a listing is missing or malformed.
    """
    root = need_folder(Path(config.root), LAYOUT, TODO)
    columns = ("image_id", "path", "class", "split")
    images = unique(read_csv(root / "metadata.csv", columns, TODO), "path", columns[2:])
    listed = unique(read_csv(root / "classes.csv", ("class", "name"), TODO), "class", ("name",))
    names = {row.integer("class"): row["name"] for row in listed.values()}
    labels = {number: label for label, number in enumerate(sorted(names))}
    entries: list[Entry] = []
    numbers: dict[int, int] = {}
    for row in images.values():
        numbers[row.integer("image_id")] = len(entries)
        mask = root / "masks" / f"{row.integer('image_id'):05d}.png"
        label = labels[row.integer("class", labels)]
        path = path_on_disk(root / "images", row["path"])
        entries.append(Entry(path, label, row.is_train("split"), mask if mask.is_file() else None))
    return assemble(
        config,
        root / "images",
        entries,
        [names[number] for number in sorted(names)],
        class_attributes=_class_attributes(root / "class_attributes.csv", labels),
        parts=_parts(root / "parts.csv", numbers),
    )


def _parts(file: Path, images: dict[int, int]) -> np.ndarray | None:
    """The visible parts of images, which are given by number and row; see `Dataset`. None without the file."""
    if not file.is_file():
        return None
    columns = ("image_id", "part_id", "x", "y")
    points = [[row.number(column) for column in columns] for row in read_csv(file, columns, TODO)]
    return keypoint_array(np.array(points), images, file)


def _class_attributes(file: Path, labels: dict[int, int]) -> np.ndarray | None:
    """(n_classes, n_attributes) float32, percent, one line per class; None without the file."""
    if not file.is_file():
        return None
    listed = unique(read_csv(file, ("class",), TODO), "class", ())
    rows = {row.integer("class", labels): row for row in listed.values()}
    if missing := sorted(labels.keys() - rows.keys()):
        raise UsageError(f"{file} lacks class {missing[0]}", "one line per class of classes.csv", "complete it")
    return np.array(
        [[row.number(name) for name in row.cells if name != "class"] for _, row in sorted(rows.items())],
        dtype=np.float32,
    )
