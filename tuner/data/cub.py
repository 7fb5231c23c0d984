"""The official CUB-200-2011 layout: text listings, segmentations as a separate archive, attributes with certainty."""

from pathlib import Path

import numpy as np
import pandas as pd

from tuner.data.dataset import Dataset, Entry, assemble, need_folder
from tuner.data.settings import DataConfig
from tuner.errors import TunerError

LAYOUT = "the folder CUB_200_2011 with images.txt, images/ and, for object masks, segmentations/ in or beside it"
TODO = (
    "get CUB_200_2011.tgz and segmentations.tgz from https://www.vision.caltech.edu/datasets/cub_200_2011/, "
    "unpack both into one folder and set data.root to its CUB_200_2011"
)
PROBABLY = 3  # certainty_id: 1 not visible, 2 guessing, 3 probably, 4 definitely


def load_cub(config: DataConfig) -> Dataset:
    """Reads the official listings.

    Masks and attributes are optional: without their files the metrics that need them do not apply. An image
    attribute counts as known from certainty 3 on (METHOD.md 6.9).

    Raises:
        TunerError: the folder or a listing is missing or malformed.
    """
    root = need_folder(Path(config.root), LAYOUT, TODO)
    if not (root / "images.txt").is_file() and (root / "CUB_200_2011").is_dir():
        root = root / "CUB_200_2011"
    images = _listing(root / "images.txt", ["image", "path"])
    labels = _listing(root / "image_class_labels.txt", ["image", "class"])
    split = _listing(root / "train_test_split.txt", ["image", "is_train"])
    classes = _listing(root / "classes.txt", ["class", "name"])
    table = images.join(labels).join(split)
    if table.isna().any(axis=None):
        missing = table.index[table.isna().any(axis=1)]
        raise TunerError(f"{root}: image {missing[0]} has no class or split", LAYOUT, TODO)
    segmentations = next((f for f in (root / "segmentations", root.parent / "segmentations") if f.is_dir()), None)
    entries = []
    for path, label, is_train in zip(table["path"], table["class"], table["is_train"], strict=True):
        mask = segmentations / Path(path).with_suffix(".png") if segmentations else None
        entries.append(Entry(path, int(label) - 1, bool(is_train), mask if mask and mask.is_file() else None))
    return assemble(
        config,
        root / "images",
        entries,
        list(classes["name"]),
        class_attributes=_class_attributes(root / "attributes" / "class_attribute_labels_continuous.txt"),
        image_attributes=_image_attributes(root / "attributes" / "image_attribute_labels.txt", table.index),
    )


def _listing(file: Path, columns: list[str]) -> pd.DataFrame:
    """A listing `<id> <value>` as a table indexed by id."""
    try:
        return pd.read_csv(file, sep=" ", header=None, names=columns, index_col=columns[0])
    except (OSError, ValueError) as error:
        raise TunerError(f"{file} cannot be read: {error}", LAYOUT, TODO) from error


def _class_attributes(file: Path) -> np.ndarray | None:
    """(n_classes, n_attributes) float32, percent."""
    return np.loadtxt(file, dtype=np.float32, ndmin=2) if file.is_file() else None


def _image_attributes(file: Path, images: pd.Index) -> np.ndarray | None:
    """(n_images, n_attributes) int8 in the order of `images`: 1 present, 0 absent, -1 less than probably known.

    The official file has stray extra columns in some rows; the first four are `image attribute present certainty`.
    """
    if not file.is_file():
        return None
    columns = ["image", "attribute", "present", "certainty"]
    table = pd.read_csv(file, sep=r"\s+", header=None, names=[*columns, "a", "b", "c"], usecols=columns, engine="c")
    known = np.where(table["certainty"] >= PROBABLY, table["present"], -1).astype(np.int8)
    values = np.full((len(images), int(table["attribute"].max())), -1, dtype=np.int8)
    rows = images.get_indexer(pd.Index(table["image"]))
    values[rows[rows >= 0], table["attribute"].to_numpy()[rows >= 0] - 1] = known[rows >= 0]
    return values
