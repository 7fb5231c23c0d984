"""What every data set looks like once its own layout has been read: images in the order of their paths.

The order does not depend on the layout, so the same images give the same feature bank from any layout.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from PIL import Image

from tuner.data.duplicates import describe_copies, group_by_content
from tuner.data.fingerprint import Hasher
from tuner.data.mask_files import masks_like
from tuner.data.mask_values import mask_values
from tuner.data.masks import Reading, examine_mask, reading_of
from tuner.data.pixels import read_image
from tuner.data.settings import DataConfig
from tuner.data.split_file import read_split_file
from tuner.data.splits import stratified_split
from tuner.data.words import printable, some
from tuner.errors import TunerError, UsageError


class Pictures(Protocol):
    """Where pixels come from: files, or an array in memory."""

    def image(self, i: int) -> Image.Image:
        """Image `i` as RGB, as it is seen (see `pixels`)."""
        ...

    def mask(self, i: int) -> Image.Image | None:
        """The grey object mask of image `i` (mode L, 255 the object, as large as the image), or None."""
        ...

    def digests(self) -> list[list[str]]:
        """One row per image: SHA-256 of its content and of its mask's ("" without one)."""
        ...


@dataclass(frozen=True)
class Dataset:
    """Images with labels, split and masks.

    Args:
        name: the data set's name in the recipe.
        paths: one path per image, relative to the image folder, ascending.
        labels: class indices, (n_images,) int64.
        is_train: training side of the split, (n_images,) bool.
        class_names: one name per class.
        has_mask: which images have an object mask, (n_images,) bool.
        pictures: opens images and masks.
        class_attributes: (n_classes, n_attributes) float32, percent; None if unknown.
        image_attributes: (n_images, n_attributes) int8, 1 present, 0 absent, -1 unknown; None if unknown.
        notes: what was left out, odd or guessed while the data set was listed, in a sentence each, to be shown once.
        content: for each image the first one with the same content, (n_images,) int64; None: all differ.
    """

    name: str
    paths: tuple[str, ...]
    labels: np.ndarray
    is_train: np.ndarray
    class_names: tuple[str, ...]
    has_mask: np.ndarray
    pictures: Pictures
    class_attributes: np.ndarray | None = None
    image_attributes: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    content: np.ndarray | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.paths)


@dataclass(frozen=True)
class Entry:
    """One image as a layout lists it.

    Args:
        path: relative to the image folder, with forward slashes.
        label: class index.
        is_train: side of the official split; None where there is no official split.
        mask: the object mask's file, if there is one.
    """

    path: str
    label: int
    is_train: bool | None
    mask: Path | None = None


_DECIDING = threading.Lock()  # how masks are read is decided once, by one thread


class FilePictures:
    """Images and masks as files."""

    def __init__(self, images: Sequence[Path], masks: Sequence[Path | None]) -> None:
        self.images = tuple(images)
        self.masks = tuple(masks)
        self._reading: Reading | None = None

    def image(self, i: int) -> Image.Image:
        """Image `i` as RGB, as it is seen.

        Raises:
            ImageError: it cannot be read.
        """
        return read_image(self.images[i])

    def mask(self, i: int) -> Image.Image | None:
        """The grey object mask of image `i`, 255 the object, or None.

        Raises:
            ImageError: it cannot be read.
        """
        path = self.masks[i]
        return None if path is None else self.reading().grey(mask_values(path))

    def reading(self, counts: np.ndarray | None = None) -> Reading:
        """The one reading of these masks, decided from the values of all of them at the first call.

        Args:
            counts: those values, (n_masks, 256), for callers who have just counted them; otherwise all masks are read.

        Raises:
            TunerError: a mask cannot be read, or nothing says which value is the background.
        """
        with _DECIDING:
            if self._reading is None:
                if counts is None:
                    counts = np.stack([examine_mask(path).counts for path in self.masks if path is not None])
                self._reading = reading_of(counts)
            return self._reading

    def digests(self) -> list[list[str]]:
        """SHA-256 of every image's and mask's bytes, remembered between runs (see `fingerprint`)."""
        hasher = Hasher()
        files = hasher.digests([*self.images, *(path for path in self.masks if path is not None)])
        return [
            [files[image], files[mask] if mask else ""] for image, mask in zip(self.images, self.masks, strict=True)
        ]


def assemble(
    config: DataConfig,
    folder: Path,
    entries: Sequence[Entry],
    class_names: Sequence[str],
    *,
    class_attributes: np.ndarray | None = None,
    image_attributes: np.ndarray | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Brings a layout's entries into the common order and applies the recipe's split and masks.

    Images are hashed here, since copies of an image have to stay on one side of a cut; hashes are remembered.

    Args:
        config: the recipe's data settings.
        folder: the folder image paths are relative to.
        entries: the images, in any order.
        class_names: one name per class.
        class_attributes: see `Dataset`.
        image_attributes: see `Dataset`, in the order of `entries`.
        notes: what is to be said about the listing.

    Raises:
        UsageError: the split file does not fit the images, a class is too small to be split, or an image is listed
            twice.
        TunerError: there are no images, or the mask folder is missing.
    """
    if not entries:
        raise TunerError(f"data set {config.name} at {folder} lists no images", "at least one", "check data.root")
    order = sorted(range(len(entries)), key=lambda i: entries[i].path)
    rows = [entries[i] for i in order]
    paths = tuple(entry.path for entry in rows)
    _check_names(folder, paths, class_names)
    labels = np.array([entry.label for entry in rows], dtype=np.int64)
    masks: list[Path | None] = [entry.mask for entry in rows]
    on_masks: list[str] = []
    if config.masks:
        need_folder(Path(config.masks), "masks at the images' relative paths", "check data.masks, or leave it empty")
        masks, on_masks = masks_like(Path(config.masks), paths)
    files = [folder / path for path in paths]
    digests = Hasher().digests(files, unreadable="")  # they are named where images are checked
    content = group_by_content([digests[file] for file in files])
    is_train = _is_train(config, rows, labels, class_names, content)
    return Dataset(
        name=config.name,
        paths=paths,
        labels=labels,
        is_train=is_train,
        class_names=tuple(class_names),
        has_mask=np.array([mask is not None for mask in masks], dtype=np.bool_),
        pictures=FilePictures(files, masks),
        class_attributes=class_attributes,
        image_attributes=None if image_attributes is None else image_attributes[order],
        notes=(*notes, *on_masks, *describe_copies(content, is_train, paths)),
        content=content,
    )


def _check_names(folder: Path, paths: Sequence[str], class_names: Sequence[str]) -> None:
    if twice := sorted({name for name in class_names if class_names.count(name) > 1}):
        raise UsageError(f"two classes called {some(twice)} in {folder}", "a name of its own for each", "rename one")
    for path, following in zip(paths, (*paths[1:], ""), strict=True):
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise UsageError(f"image path {path!r} leaves {folder}", "paths below it", "correct the data set's listing")
        if path == following:
            raise UsageError(
                f"image {printable(path)} is listed twice in {folder}", "each image once", "correct the listing"
            )


def _is_train(
    config: DataConfig, rows: Sequence[Entry], labels: np.ndarray, class_names: Sequence[str], content: np.ndarray
) -> np.ndarray:
    """The split file if one is given, else the official split, else a stratified cut: (n_images,) bool."""
    if config.split_file:
        return read_split_file(Path(config.split_file), [entry.path for entry in rows])
    official = [entry.is_train for entry in rows]
    if None not in official:
        return np.array(official, dtype=np.bool_)
    held_out = np.zeros(len(labels), dtype=np.bool_)
    cut = ~_only_copies(labels, content)  # such a class is trained on, and listed as one without a test image
    held_out[cut] = stratified_split(labels[cut], config.test_fraction, config.split_seed, class_names, content[cut])
    return ~held_out


def _only_copies(labels: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Which images are of a class that is several copies of one image: (n_images,) bool."""
    several = np.bincount(labels) > 1
    distinct = np.bincount(np.unique(np.stack([labels, content]), axis=1)[0], minlength=len(several))
    return np.asarray((several & (distinct == 1))[labels])


def need_folder(folder: Path, expected: str, todo: str) -> Path:
    """Returns `folder`, or says what was expected there and where to get it.

    Raises:
        TunerError: there is no such folder.
    """
    if not folder.is_dir():
        raise TunerError(f"there is no folder {folder}", expected, todo)
    return folder
