"""The common representation of data sets: images, labels, split and masks, ordered by path.

The order does not depend on the layout, so the same images give the same feature bank in any layout.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuner.data.boxes import with_boxes
from tuner.data.duplicates import describe_copies, describe_torn, group_by_content, joined, within_labels
from tuner.data.fingerprint import Hasher
from tuner.data.first_classes import first_classes, told_of
from tuner.data.first_split import drawn_split
from tuner.data.mask_sources import masks_at
from tuner.data.names import check_names
from tuner.data.pictures import FilePictures, Mask, Pictures
from tuner.data.place import Files, Place, need_folder, place_of
from tuner.data.settings import DataConfig
from tuner.data.split_file import read_split_file
from tuner.errors import TunerError

__all__ = ["Dataset", "Entry", "FilePictures", "Listing", "Pictures", "assemble", "need_folder", "within_labels"]


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
    mask: Place | None = None


def assemble(
    config: DataConfig,
    folder: Place,
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
        folder: the folder, or place in a bucket, that image paths are relative to.
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
    sides = [entry.is_train for entry in entries]
    listing = Listing(
        paths=[entry.path for entry in entries],
        labels=np.array([entry.label for entry in entries], dtype=np.int64),
        is_train=None if None in sides else np.array(sides, dtype=np.bool_),
        masks=[entry.mask for entry in entries],
    )
    listing, order = listing.in_order()
    listing, kept = listing.narrowed(config, folder, class_names)
    chosen = np.array(order)[kept]
    dataset = listing.dataset(config, folder, class_names, notes)
    return replace(
        dataset,
        class_attributes=None if class_attributes is None else class_attributes[: len(dataset.class_names)],
        image_attributes=None if image_attributes is None else image_attributes[chosen],
        parts=None if parts is None else parts[chosen],
        part_names=tuple(part_names),
        attribute_names=tuple(attribute_names),
    )


@dataclass(frozen=True)
class Listing:
    """Images as listed, by column; nothing is opened or hashed before `dataset`.

    Args:
        paths: relative to the data set's folder, with forward slashes, or addresses of their own.
        labels: class indices, (n,) int64.
        is_train: the given split, (n,) bool; None if there is none.
        masks: the object mask of each image, if it has one.
        boxes: what is read of each image, left, top, right and bottom in pixels, (n, 4) int64, -1 for all of it; None
            if all are read whole.
        groups: equal numbers for images that belong together, (n,) int64; None if nothing is known of that.
    """

    paths: Sequence[str]
    labels: np.ndarray
    is_train: np.ndarray | None = None
    masks: "Sequence[Mask | None]" = ()
    boxes: np.ndarray | None = None
    groups: np.ndarray | None = None

    def in_order(self) -> "tuple[Listing, list[int]]":
        """The same listing by path, ascending; and the position here of each image there."""
        order = sorted(range(len(self.paths)), key=self.paths.__getitem__)
        return self.taken(order), order

    def taken(self, index: Sequence[int]) -> "Listing":
        """The images at these positions, in this order."""

        def of(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[index]

        return Listing(
            paths=[self.paths[i] for i in index],
            labels=self.labels[index],
            is_train=of(self.is_train),
            masks=[self.masks[i] for i in index] if self.masks else (),
            boxes=of(self.boxes),
            groups=of(self.groups),
        )

    def narrowed(
        self, config: DataConfig, folder: Place, class_names: Sequence[str], *, anywhere: bool = False
    ) -> "tuple[Listing, list[int]]":
        """The sides of `data.split_file`, which lists all images, and of these the images of the first `data.classes`.

        Args:
            config: the recipe's data settings.
            folder: the folder, or place in a bucket, that image paths are relative to.
            class_names: of all classes.
            anywhere: whether paths may be absolute, or addresses of their own.

        Returns:
            The listing, and the position here of each image there.

        Raises:
            UsageError: the split file does not fit, there are fewer classes, or an image is listed twice.
            TunerError: there are no images.
        """
        if not len(self.paths):
            raise TunerError(f"data set {config.name} at {folder} lists no images", "at least one", "check data.root")
        check_names(folder, self.paths, class_names, anywhere=anywhere)
        listing = self
        if config.split_file:
            split = read_split_file(place_of(config.split_file, "data.split_file"), self.paths)
            listing = replace(self, is_train=split)
        kept = first_classes(config, self.labels, len(class_names))
        return (listing, kept) if len(kept) == len(self.paths) else (listing.taken(kept), kept)

    def dataset(
        self,
        config: DataConfig,
        folder: Place,
        class_names: Sequence[str],
        notes: Sequence[str] = (),
        *,
        must_exist: bool = False,
        digests: Sequence[str] | None = None,
    ) -> Dataset:
        """Apply the recipe's masks, and draw a split where none is given; images are hashed here, unless that was done
        elsewhere.

        Args:
            config: the recipe's data settings.
            folder: the folder, or place in a bucket, that image paths are relative to.
            class_names: one name per class, also of those left out by `narrowed`.
            notes: notes on the listing, see `Dataset`.
            must_exist: whether files that cannot be read are refused here; otherwise the extraction names them.
            digests: SHA-256 of each image's file, as `Hasher.each` gives it, if already known.

        Raises:
            UsageError: a class is too small to be split, or the masks do not fit.
            TunerError: the mask folder is missing, or files cannot be read.
        """
        told = told_of(config, len(class_names))
        class_names = class_names[: config.classes or None]
        masks: Sequence[Mask | None] = self.masks or [None] * len(self.paths)
        on_masks: list[str] = []
        if config.masks:
            masks, on_masks = masks_at(config.masks, self.paths)
        pictures = FilePictures(Files(folder, self.paths), masks, self.boxes)
        if digests is None:
            files = Hasher().each(pictures.images, unreadable=None if must_exist else "", unit="images")
        else:
            files = list(digests)
        if digests is not None or all(files):
            pictures.known = files
        content = group_by_content(with_boxes(files, self.boxes))
        groups = self._groups(files, content)
        is_train = self.is_train
        if is_train is None:
            is_train = drawn_split(config, self.labels, class_names, content, groups)
        on_groups = [] if groups is None else describe_torn(groups, is_train, self.paths)
        return Dataset(
            name=config.name,
            paths=tuple(self.paths),
            labels=self.labels,
            is_train=is_train,
            class_names=tuple(class_names),
            has_mask=np.array([mask is not None for mask in masks], dtype=np.bool_),
            pictures=pictures,
            notes=(*notes, *told, *on_masks, *describe_copies(content, is_train, self.paths), *on_groups),
            content=content,
            groups=groups,
        )

    def _groups(self, files: Sequence[str], content: np.ndarray) -> np.ndarray | None:
        """Given groups, joined where they share a file; crops of one file are a group, too. None without either."""
        if self.groups is None and self.boxes is None:
            return None
        same_file = group_by_content(files)
        if self.groups is None:
            return None if np.array_equal(same_file, content) else same_file
        _, first, group = np.unique(self.groups, return_index=True, return_inverse=True)
        return joined(first[group], same_file)
