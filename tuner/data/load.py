"""The door to every data set: from the recipe's settings to a `Dataset`, and a check of all its pixels."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from PIL import Image

from tuner.data.cars import load_cars
from tuner.data.cub import load_cub
from tuner.data.cub50 import load_cub50
from tuner.data.dataset import Dataset, FilePictures
from tuner.data.digits import load_digits
from tuner.data.folder import load_folder
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.folders import at_home

LOADERS: dict[str, Callable[[DataConfig], Dataset]] = {
    "digits": load_digits,
    "cub": load_cub,
    "cub50": load_cub50,
    "cars": load_cars,
    "folder": load_folder,
}
NAMED_AT_MOST = 20


def load_dataset(config: DataConfig) -> Dataset:
    """Lists a data set's images, labels, split and masks; opens no image.

    Raises:
        TunerError: it is missing (the message says where to get it and where to put it) or malformed.
        UsageError: settings and data do not fit together.
    """
    config = replace(
        config,
        root=at_home(config.root, "data.root"),
        masks=at_home(config.masks, "data.masks"),
        split_file=at_home(config.split_file, "data.split_file"),
    )
    if config.name not in LOADERS:
        raise UsageError(f"data.name={config.name}", ", ".join(LOADERS), "choose one of them")
    if not config.root and config.name != "digits":
        raise UsageError(f"data.name={config.name} without data.root", "the data set's folder", "set data.root")
    dataset = LOADERS[config.name](config)
    trained = set(dataset.labels[dataset.is_train].tolist())
    if untrained := [name for label, name in enumerate(dataset.class_names) if label not in trained]:
        raise UsageError(
            f"{len(untrained)} classes of {config.name} without a training image: {', '.join(untrained[:5])}",
            "at least one training image of every class",
            "correct the split or remove the class",
        )
    return dataset


def check_images(dataset: Dataset) -> None:
    """Decodes every image and mask before anything is computed, in parallel.

    JPEGs are decoded at an eighth of their size, which reads every byte but skips most of the arithmetic.

    Raises:
        TunerError: missing, broken or unreadable files, or masks of another size than their image; all are counted
            and the first ones named.
    """
    pictures = dataset.pictures
    if not isinstance(pictures, FilePictures):
        return
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        faults = [fault for fault in pool.map(_fault, pictures.images, pictures.masks) if fault]
    if faults:
        more = f" and {len(faults) - NAMED_AT_MOST} more" if len(faults) > NAMED_AT_MOST else ""
        raise TunerError(
            f"{len(faults)} of {len(dataset)} images of {dataset.name} cannot be used:\n    "
            + "\n    ".join(faults[:NAMED_AT_MOST])
            + more,
            "readable images, and masks as large as their image",
            "restore or remove these files, then start again",
        )


def _fault(image: Path, mask: Path | None) -> str | None:
    """What is wrong with an image and its mask, or None."""
    try:
        size = _decoded_size(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"{image}: {error}"
    if mask is None:
        return None
    try:
        mask_size = _decoded_size(mask)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"{mask}: {error}"
    if mask_size != size:
        return f"{mask}: mask of {mask_size[0]}x{mask_size[1]} for an image of {size[0]}x{size[1]}"
    return None


def _decoded_size(file: Path) -> tuple[int, int]:
    """Width and height of an image that was decoded to its last byte."""
    with Image.open(file) as image:
        size = image.size
        image.draft("RGB", (1, 1))
        image.load()
        return size
