"""Reads the official CUB-200-2011 layout: text listings, segmentations, parts, and attributes with certainty.

A compact copy of some of its classes (see `cub50`) is read in its place, where `data.root` names one.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.data.cub50 import is_compact, load_compact
from tuner.data.dataset import Dataset, Entry, assemble, need_folder
from tuner.data.keypoints import keypoint_array
from tuner.data.paths import path_on_disk
from tuner.data.settings import DataConfig
from tuner.data.tables import Row, read_listing, unique
from tuner.data.words import count
from tuner.errors import TunerError, UsageError

if TYPE_CHECKING:
    import pandas as pd

LAYOUT = "the folder CUB_200_2011 with images.txt, images/ and, for object masks, segmentations/ in or beside it"
TODO = (
    "run qpm-tuner data fetch cub --root data, which gets CUB_200_2011.tgz and segmentations.tgz and unpacks them, "
    "and set data.root to its CUB_200_2011"
)
COMPACT = 50  # classes of `data.name=cub50`
PROBABLY = 3  # certainty_id: 1 not visible, 2 guessing, 3 probably, 4 definitely


def load_cub(config: DataConfig) -> Dataset:
    """Read the official listings.

    Masks, parts and attributes are optional; without them the metrics that need them do not apply. An image
    attribute counts as known if its certainty is at least 3 (docs/explanation/method.md#attribute-alignment).

    Raises:
        TunerError: the folder or a listing is missing or malformed.
        UsageError: it is a compact copy, and not said to be.
    """
    root = need_folder(Path(config.root), LAYOUT, TODO)
    if is_compact(root):
        if not config.classes:
            raise UsageError(
                f"{root} is a compact copy of some of CUB's classes",
                "the official folder, for all 200 of them",
                f"set data.classes={COMPACT}, or data.root to the official folder",
            )
        return load_compact(config)
    if not (root / "images.txt").is_file() and (root / "CUB_200_2011").is_dir():
        root = root / "CUB_200_2011"
    images = _listing(root / "images.txt", "image", "path")
    labels = _listing(root / "image_class_labels.txt", "image", "class")
    sides = _listing(root / "train_test_split.txt", "image", "is_train")
    names = {number: row["name"] for number, row in _listing(root / "classes.txt", "class", "name").items()}
    positions = {number: label for label, number in enumerate(sorted(names))}
    if missing := [image for image in images if image not in labels or image not in sides]:
        raise TunerError(f"{images[missing[0]].where}: image {missing[0]} has no class or split", LAYOUT, TODO)
    segmentations = next((f for f in (root / "segmentations", root.parent / "segmentations") if f.is_dir()), None)
    entries = []
    for image, row in images.items():
        path = path_on_disk(root / "images", row["path"])
        mask = segmentations / Path(path).with_suffix(".png") if segmentations else None
        label = positions[labels[image].integer("class", positions)]
        is_train = bool(sides[image].integer("is_train", (0, 1)))
        entries.append(Entry(path, label, is_train, mask if mask and mask.is_file() else None))
    attributes = root / "attributes"
    return assemble(
        config,
        root / "images",
        entries,
        [names[number] for number in sorted(names)],
        class_attributes=_class_attributes(attributes / "class_attribute_labels_continuous.txt", len(names)),
        image_attributes=_image_attributes(attributes / "image_attribute_labels.txt", list(images)),
        parts=_parts(root / "parts" / "part_locs.txt", list(images)),
        notes=_unlisted(images, {"image_class_labels.txt": labels, "train_test_split.txt": sides}),
        part_names=_names(root / "parts" / "parts.txt"),
        attribute_names=_names(
            attributes / "attributes.txt", root.parent / "attributes.txt"
        ),  # beside it, as published
    )


def load_cub50(config: DataConfig) -> Dataset:
    """Read a compact copy, or the first 50 classes of the official folder.

    Raises:
        TunerError: see `load_cub`.
    """
    root = need_folder(Path(config.root), LAYOUT, TODO)
    if any((folder / "images.txt").is_file() for folder in (root, root / "CUB_200_2011")):
        return load_cub(config if config.classes else replace(config, classes=COMPACT))
    return load_compact(config)


def _names(*files: Path) -> list[str]:
    """The names in the first of these listings that is there, by their numbers from 1 on; none where one is missing."""
    file = next((file for file in files if file.is_file()), None)
    rows = {} if file is None else _listing(file, "number", "name")
    return [rows[n]["name"] for n in sorted(rows)] if sorted(rows) == list(range(1, len(rows) + 1)) else []


def _listing(file: Path, key: str, value: str) -> dict[int, Row]:
    """A listing `<id> <value>`, whose values may contain spaces, by id."""
    rows = unique(read_listing(file, (key, value), TODO), key, (value,))
    return {row.integer(key): row for row in rows.values()}


def _unlisted(images: dict[int, Row], listings: dict[str, dict[int, Row]]) -> list[str]:
    return [
        f"{file} has {count(n, 'line')} for images that images.txt does not list"
        for file, rows in listings.items()
        if (n := len(rows.keys() - images.keys()))
    ]


def _table(file: Path, dtype: type[np.floating[Any]], lines: str) -> np.ndarray:
    """A table of numbers, (n, n_columns).

    Raises:
        UsageError: it holds something else than such `lines`.
    """
    try:
        return np.loadtxt(file, dtype=dtype, ndmin=2, encoding="utf-8-sig")
    except ValueError as error:
        raise UsageError(f"{file} cannot be read: {error}", lines, TODO) from error


def _parts(file: Path, images: Sequence[int]) -> np.ndarray | None:
    """The parts of `images`, in this order; see `Dataset`."""
    if not file.is_file():
        return None
    expected = "lines `<image> <part> <x> <y> <visible>`"
    table = _table(file, np.float64, expected)
    if table.shape[1] != 5:
        raise UsageError(f"{file} has {count(table.shape[1], 'column')}", expected, TODO)
    return keypoint_array(table[table[:, 4] > 0, :4], {image: row for row, image in enumerate(images)}, file)


def _class_attributes(file: Path, n_classes: int) -> np.ndarray | None:
    """(n_classes, n_attributes) float32, percent."""
    if not file.is_file():
        return None
    values = _table(file, np.float32, "numbers only, one line per class")
    if len(values) != n_classes:
        raise UsageError(f"{file} has {count(len(values), 'line')}", f"{n_classes}, one per class", TODO)
    return values


def _image_attributes(file: Path, images: Sequence[int]) -> np.ndarray | None:
    """(n_images, n_attributes) int8 in the order of `images`: 1 present, 0 absent, -1 certainty below `PROBABLY`.

    The official file has stray extra columns in some rows; the first four are `image attribute present certainty`.
    """
    if not file.is_file():
        return None
    table = _numbers(file, ["image", "attribute", "present", "certainty"])
    known = np.where(table["certainty"] >= PROBABLY, table["present"], -1).astype(np.int8)
    values = np.full((len(images), int(table["attribute"].max())), -1, dtype=np.int8)
    rows = table["image"].map({image: row for row, image in enumerate(images)}).fillna(-1).to_numpy(np.int64)
    values[rows[rows >= 0], table["attribute"].to_numpy()[rows >= 0] - 1] = known[rows >= 0]
    return values


def _numbers(file: Path, columns: list[str]) -> "pd.DataFrame":
    """The first columns of a listing of integers, which may be followed by up to three stray columns.

    Raises:
        UsageError: a line is malformed; the message names the first one.
    """
    import pandas as pd

    def read(**options: Any) -> pd.DataFrame:
        names = [*columns, "a", "b", "c"]
        table: pd.DataFrame = pd.read_csv(file, sep=r"\s+", header=None, names=names, encoding="utf-8-sig", **options)
        return table[columns]

    try:
        table = read(low_memory=False)
        raw = None if all(dtype.kind == "i" for dtype in table.dtypes) else read(dtype=str)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}", f"lines `{' '.join(columns)}`", TODO) from error
    if table.empty:
        raise UsageError(f"{file} is empty", f"lines `{' '.join(columns)}`", TODO)
    if raw is not None:
        table = raw.apply(pd.to_numeric, errors="coerce")
    wrong = table.isna() | (table % 1 != 0)
    wrong["attribute"] |= table["attribute"] < 1
    wrong["present"] |= ~table["present"].isin((0, 1))
    if wrong.any(axis=None):
        line = int(wrong.any(axis=1).to_numpy().argmax())
        text = " ".join(map(str, (table if raw is None else raw).to_numpy()[line]))
        raise UsageError(
            f"{file}, line {line + 1}: {text!r}",
            f"integers `{' '.join(columns)}`, attributes from 1 on, present 0 or 1",
            "correct the line",
        )
    return table.astype(np.int64)
