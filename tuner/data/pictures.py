"""Where the pixels of a data set come from: the protocol, and images and masks as files."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from tuner.data.boxes import Box, cut_values, with_boxes
from tuner.data.fingerprint import Hasher
from tuner.data.mask_values import Mask, mask_values
from tuner.data.masks import MaskFacts, Reading, examine_mask, misfit, reading_of
from tuner.data.pixels import Facts, read_examined, read_image
from tuner.data.place import Files, Place, S3Path


class Pictures(Protocol):
    """The source of pixels: files, or an array in memory. It can be pickled, to travel to other processes."""

    def image(self, i: int) -> Image.Image:
        """Image `i` as upright RGB (see `pixels`)."""
        ...

    def mask(self, i: int) -> Image.Image | None:
        """The grey object mask of image `i` (mode L, 255 the object, as large as the image), or None."""
        ...

    def digests(self) -> list[list[str]]:
        """One row per image: SHA-256 of its content and of its mask's ("" without one)."""
        ...

    def part(self, index: np.ndarray) -> "Pictures":
        """These images alone, in this order, without what belongs to the others.

        Args:
            index: positions, (n,) int64.
        """
        ...


__all__ = ["Chosen", "FilePictures", "Mask", "Pictures"]

_DECIDING = threading.Lock()  # the interpretation of masks is decided once, by one thread


class FilePictures:
    """Images and masks as files, in a folder or in a bucket.

    Args:
        images: the file of each image.
        masks: each image's mask, if it has one: a file, or drawn.
        boxes: the part of each image that is read, left, top, right and bottom in pixels of the upright image,
            (n_images, 4) integers, -1 for all of it; None: all are read whole.
    """

    def __init__(self, images: Sequence[Place], masks: Sequence[Mask | None], boxes: np.ndarray | None = None) -> None:
        self.images = images if isinstance(images, Files) else tuple(images)
        self.masks = tuple(masks)
        self.boxes = boxes
        self.known: list[str] | None = None  # SHA-256 of each image's file, where it has been computed
        self._reading: Reading | None = None
        self._is_part = False

    def image(self, i: int) -> Image.Image:
        """Image `i` as upright RGB.

        Raises:
            ImageError: it cannot be read.
            StoreError: its bucket cannot be read.
        """
        return read_image(self.images[i], self.box(i))

    def mask(self, i: int) -> Image.Image | None:
        """The grey object mask of image `i`, 255 the object, or None.

        Raises:
            ImageError: it cannot be read.
            StoreError: its bucket cannot be read.
        """
        mask = self.masks[i]
        return None if mask is None else self.reading().grey(cut_values(mask_values(mask), self.box(i)))

    def examined(self, i: int) -> tuple[Image.Image, Facts, Image.Image | None]:
        """Image `i` as `image` gives it, facts about its file, and its mask, each decoded once.

        Raises:
            ImageError: one cannot be read, or the mask is not as large as the image.
            StoreError: its bucket cannot be read.
        """
        (image, facts), mask = read_examined(self.images[i], self.box(i)), self.masks[i]
        if mask is None:
            return image, facts, None
        values = mask_values(mask)
        if wrong := misfit(mask, (values.shape[1], values.shape[0]), facts):
            raise wrong
        return image, facts, self.reading().grey(cut_values(values, self.box(i)))

    def mask_facts(self, i: int) -> MaskFacts:
        """Facts about the mask of image `i`, which has one.

        Raises:
            ImageError: it cannot be read.
            StoreError: its bucket cannot be read.
        """
        mask = self.masks[i]
        assert mask is not None, "this image has a mask"
        return examine_mask(mask, self.box(i))

    def box(self, i: int) -> Box | None:
        """The part of image `i` that is read; None for all of it."""
        if self.boxes is None or self.boxes[i, 0] < 0:
            return None
        left, top, right, bottom = self.boxes[i].tolist()
        return left, top, right, bottom

    def reading(self, counts: np.ndarray | None = None) -> Reading:
        """The common interpretation of these masks, decided from all their values on the first call.

        Args:
            counts: pixel counts per value, (n_masks, 256), of all masks of the data set, if already known, in any
                order; otherwise all masks are read.

        Raises:
            TunerError: a mask cannot be read, or the background value is ambiguous.
            ValueError: a part of a data set was asked, without counts, before the whole: its own masks do not tell.
        """
        with _DECIDING:
            if self._reading is None:
                if counts is None:
                    if self._is_part:
                        raise ValueError("reading() of a part: ask the whole data set first, or give all counts")
                    masks = [(mask, self.box(i)) for i, mask in enumerate(self.masks) if mask is not None]
                    counts = np.stack([examine_mask(mask, box).counts for mask, box in masks])
                self._reading = reading_of(counts)
            return self._reading

    def digests(self) -> list[list[str]]:
        """SHA-256 of every image's and mask's bytes, cached between runs (see `fingerprint`); boxes are added."""
        masks = [mask for mask in self.masks if isinstance(mask, Path | S3Path)]
        files = Hasher().each(self.images, unit="images") if self.known is None else self.known
        images, of_masks = with_boxes(files, self.boxes), iter(Hasher().each(masks, unit="masks") if masks else [])
        return [
            [image, "" if mask is None else next(of_masks) if isinstance(mask, Path | S3Path) else mask.digest()]
            for image, mask in zip(images, self.masks, strict=True)
        ]

    def part(self, index: np.ndarray) -> "FilePictures":
        """These images alone, in this order: small enough to be sent to a worker.

        Masks of a part mean what they mean in the whole. So `reading` is asked of the whole first, or the part is told
        the counts of all masks.

        Args:
            index: positions, (n,) int64.
        """
        chosen = index.tolist()
        images = self.images.part(index) if isinstance(self.images, Files) else [self.images[i] for i in chosen]
        boxes = None if self.boxes is None else self.boxes[index]
        part = FilePictures(images, [self.masks[i] for i in chosen], boxes)
        part.known = None if self.known is None else [self.known[i] for i in chosen]
        part._reading, part._is_part = self._reading, True
        return part


class Chosen:
    """Some images of a source that has no `part` of its own; it travels with the whole source.

    Args:
        source: images and masks.
        index: which of them, (n,) int64; None: all.
    """

    def __init__(self, source: Pictures, index: np.ndarray | None = None) -> None:
        self.source, self.index = source, index

    def image(self, i: int) -> Image.Image:
        """See `Pictures.image`."""
        return self.source.image(self._at(i))

    def mask(self, i: int) -> Image.Image | None:
        """See `Pictures.mask`."""
        return self.source.mask(self._at(i))

    def digests(self) -> list[list[str]]:
        """See `Pictures.digests`."""
        found = self.source.digests()
        return found if self.index is None else [found[i] for i in self.index.tolist()]

    def part(self, index: np.ndarray) -> "Chosen":
        """See `Pictures.part`."""
        return Chosen(self.source, index if self.index is None else self.index[index])

    def _at(self, i: int) -> int:
        return i if self.index is None else int(self.index[i])
