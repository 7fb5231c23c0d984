"""The common representation of data sets: images, labels, split and masks, ordered by path.

The order does not depend on the layout, so the same images give the same feature bank in any layout.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from PIL import Image

from tuner.data.duplicates import describe_copies, group_by_content
from tuner.data.fingerprint import Hasher
from tuner.data.first_classes import of_first_classes
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
    """The source of pixels: files, or an array in memory."""

    def image(self, i: int) -> Image.Image:
        """Image `i` as upright RGB (see `pixels`)."""
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
        parts: keypoints, (n_images, n_parts, 3) float32: x and y in pixels from the upper left corner of the upright
            image, and 1 if visible; None if unknown.
        notes: what was ignored, unusual or guessed while listing the data set, one sentence each, to be shown once.
        content: for each image the index of the first one with equal contents, (n_images,) int64; None: all differ.
        groups: for each image the index of the first one that it must share a side of every split with, whatever their
            classes, (n_images,) int64; copies are in one group. None: only copies belong together.
        part_names: of the parts by their position; empty if unknown.
        attribute_names: of the image attributes by their position; empty if unknown.
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
    parts: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    content: np.ndarray | None = None
    groups: np.ndarray | None = None
    part_names: tuple[str, ...] = ()
    attribute_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of images."""
        return len(self.paths)

    @property
    def together(self) -> np.ndarray | None:
        """What splits keep on one side, (n_images,) int64: `groups`, or else copies of an image under one label.

        Copies under two labels cannot be told apart from any image; extraction refuses them by name.
        """
        if self.groups is not None:
            return self.groups
        return None if self.content is None else within_labels(self.content, self.labels)


def within_labels(content: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each image the first one with the same content and label, (n_images,) int64."""
    _, first, which = np.unique(np.stack([labels, content]), axis=1, return_index=True, return_inverse=True)
    return first[which]


@dataclass(frozen=True)
class Entry:
    """One image as listed in a layout.

    Args:
        path: relative to the image folder, with forward slashes.
        label: class index.
        is_train: side of the official split; None where there is no official split.
        mask: file of the object mask, if any.
    """

    path: str
    label: int
    is_train: bool | None
    mask: Path | None = None


_DECIDING = threading.Lock()  # the interpretation of masks is decided once, by one thread


class FilePictures:
    """Images and masks as files."""

    def __init__(self, images: Sequence[Path], masks: Sequence[Path | None]) -> None:
        self.images = tuple(images)
        self.masks = tuple(masks)
        self._reading: Reading | None = None

    def image(self, i: int) -> Image.Image:
        """Image `i` as upright RGB.

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
        """The common interpretation of these masks, decided from all their values on the first call.

        Args:
            counts: pixel counts per value, (n_masks, 256), if already known; otherwise all masks are read.

        Raises:
            TunerError: a mask cannot be read, or the background value is ambiguous.
        """
        with _DECIDING:
            if self._reading is None:
                if counts is None:
                    counts = np.stack([examine_mask(path).counts for path in self.masks if path is not None])
                self._reading = reading_of(counts)
            return self._reading

    def digests(self) -> list[list[str]]:
        """SHA-256 of every image's and mask's bytes, cached between runs (see `fingerprint`)."""
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
    parts: np.ndarray | None = None,
    notes: Sequence[str] = (),
    part_names: Sequence[str] = (),
    attribute_names: Sequence[str] = (),
) -> Dataset:
    """Bring a layout's entries into the common order and apply the recipe's split and masks.

    Images are hashed here, since copies of an image must stay on one side of a split; hashes are cached.

    Args:
        config: the recipe's data settings.
        folder: the folder that image paths are relative to.
        entries: the images, in any order.
        class_names: one name per class.
        class_attributes: see `Dataset`.
        image_attributes: see `Dataset`, in the order of `entries`.
        parts: see `Dataset`, in the order of `entries`.
        notes: notes on the listing, see `Dataset`.
        part_names: see `Dataset`.
        attribute_names: see `Dataset`.

    Raises:
        UsageError: the split file does not fit the images, a class is too small to be split, or an image is listed
            twice.
        TunerError: there are no images, or the mask folder is missing.
    """
    if not entries:
        raise TunerError(f"data set {config.name} at {folder} lists no images", "at least one", "check data.root")
    if config.classes:
        n = len(class_names)
        kept, given = of_first_classes(config, [e.label for e in entries], [e.path for e in entries], n)
        chosen = [entries[i] for i in kept]
        if given is not None:
            chosen = [replace(chosen[i], is_train=side) for i, side in enumerate(given)]
        told = [f"the first {config.classes} of {n} classes (data.classes)"] if config.classes < n else []
        return assemble(
            replace(config, classes=0, split_file=""),
            folder,
            chosen,
            class_names[: config.classes],
            class_attributes=None if class_attributes is None else class_attributes[: config.classes],
            image_attributes=None if image_attributes is None else image_attributes[kept],
            parts=None if parts is None else parts[kept],
            notes=(*notes, *told),
            part_names=part_names,
            attribute_names=attribute_names,
        )
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
    digests = Hasher().digests(files, unreadable="")  # unreadable files are reported by `check_images`
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
        parts=None if parts is None else parts[order],
        notes=(*notes, *on_masks, *describe_copies(content, is_train, paths)),
        content=content,
        part_names=tuple(part_names),
        attribute_names=tuple(attribute_names),
    )


def _check_names(folder: Path, paths: Sequence[str], class_names: Sequence[str]) -> None:
    if twice := sorted({name for name in class_names if class_names.count(name) > 1}):
        raise UsageError(f"two classes called {some(twice)} in {folder}", "distinct class names", "rename one")
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
    """The split file if given, else the official split, else a stratified split: (n_images,) bool."""
    if config.split_file:
        return read_split_file(Path(config.split_file), [entry.path for entry in rows])
    official = [entry.is_train for entry in rows]
    if None not in official:
        return np.array(official, dtype=np.bool_)
    held_out = np.zeros(len(labels), dtype=np.bool_)
    cut = ~_only_copies(labels, content)  # such a class is only trained on, and reported as one without a test image
    copies = within_labels(content, labels)[cut]
    held_out[cut] = stratified_split(labels[cut], config.test_fraction, config.split_seed, class_names, copies)
    return ~held_out


def _only_copies(labels: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Which images belong to a class that consists of copies of one image: (n_images,) bool."""
    several = np.bincount(labels) > 1
    distinct = np.bincount(np.unique(np.stack([labels, content]), axis=1)[0], minlength=len(several))
    return np.asarray((several & (distinct == 1))[labels])


def need_folder(folder: Path, expected: str, todo: str) -> Path:
    """Return `folder` if it exists; otherwise the error says what is expected there and where to get it.

    Raises:
        TunerError: the folder does not exist.
    """
    if not folder.is_dir():
        raise TunerError(f"there is no folder {folder}", expected, todo)
    return folder
