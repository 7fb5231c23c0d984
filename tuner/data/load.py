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
from tuner.data.duplicates import refuse_two_labels
from tuner.data.folder import load_folder
from tuner.data.settings import DataConfig
from tuner.data.words import count, some
from tuner.errors import TunerError, UsageError

LOADERS: dict[str, Callable[[DataConfig], Dataset]] = {
    "digits": load_digits,
    "cub": load_cub,
    "cub50": load_cub50,
    "cars": load_cars,
    "folder": load_folder,
}
NAMED_AT_MOST = 20


def load_dataset(config: DataConfig) -> Dataset:
    """Lists a data set's images, labels, split and masks; decodes no image, but hashes them.

    Raises:
        TunerError: it is missing (the message says where to get it and where to put it) or malformed.
        UsageError: settings and data do not fit together.
    """
    if config.name not in LOADERS:
        raise UsageError(f"data.name={config.name}", ", ".join(LOADERS), "choose one of them")
    if not config.root and config.name != "digits":
        raise UsageError(f"data.name={config.name} without data.root", "the data set's folder", "set data.root")
    dataset = LOADERS[config.name](config)
    trained = set(dataset.labels[dataset.is_train].tolist())
    if untrained := [name for label, name in enumerate(dataset.class_names) if label not in trained]:
        raise UsageError(
            f"{count(len(untrained), 'class', 'classes')} of {config.name} without a training image: {some(untrained)}",
            "at least one training image of every class",
            "correct the split or remove the class",
        )
    tested = set(dataset.labels[~dataset.is_train].tolist())
    if untested := [name for label, name in enumerate(dataset.class_names) if label not in tested]:
        note = f"{count(len(untested), 'class has', 'classes have')} no test image: {some(untested)}"
        dataset = replace(dataset, notes=(*dataset.notes, note))
    return dataset


def check_images(dataset: Dataset) -> None:
    """Decodes every image and mask before anything is computed, in parallel, and looks for images under two labels.

    JPEGs are decoded at an eighth of their size, which reads every byte but skips most of the arithmetic.

    Raises:
        TunerError: missing, broken or unreadable files, or masks of another size than their image; all are counted
            and the first ones named.
        UsageError: the same image, byte for byte, has two labels.
    """
    pictures = dataset.pictures
    if not isinstance(pictures, FilePictures):
        _refuse_two_labels(dataset)
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
    _refuse_two_labels(dataset)


def _refuse_two_labels(dataset: Dataset) -> None:
    if dataset.content is not None:
        refuse_two_labels(dataset.content, dataset.labels, dataset.paths, dataset.class_names)


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
