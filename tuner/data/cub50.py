"""A compact copy of the first classes of CUB: metadata.csv, classes.csv, images/, masks/, class_attributes.csv."""

from pathlib import Path

import numpy as np
import pandas as pd

from tuner.data.dataset import Dataset, Entry, assemble, need_folder
from tuner.data.settings import DataConfig
from tuner.errors import TunerError

LAYOUT = "a folder with metadata.csv, classes.csv, images/<class>/<file> and masks/<image id>.png"
TODO = "set data.root to the folder of the compact copy, or use data.name=cub with the official archive"


def load_cub50(config: DataConfig) -> Dataset:
    """Reads the compact layout; masks are named by image id.

    Raises:
        TunerError: the folder or a listing is missing.
    """
    root = need_folder(Path(config.root), LAYOUT, TODO)
    metadata = read_table(root / "metadata.csv")
    classes = read_table(root / "classes.csv").sort_values("class")
    entries = []
    for image_id, path, label, split in zip(
        metadata["image_id"], metadata["path"], metadata["class"], metadata["split"], strict=True
    ):
        mask = root / "masks" / f"{image_id:05d}.png"
        entries.append(Entry(path, int(label), split == "train", mask if mask.is_file() else None))
    attributes = None
    if (root / "class_attributes.csv").is_file():
        table = read_table(root / "class_attributes.csv").sort_values("class")
        attributes = table.drop(columns="class").to_numpy(dtype=np.float32)
    return assemble(config, root / "images", entries, list(classes["name"]), class_attributes=attributes)


def read_table(file: Path) -> pd.DataFrame:
    """Reads a CSV of the layout.

    Raises:
        TunerError: it is missing or not a CSV.
    """
    try:
        return pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise TunerError(f"{file} cannot be read: {error}", LAYOUT, TODO) from error
