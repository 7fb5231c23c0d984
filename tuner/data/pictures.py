"""Where the pixels of a data set come from: the protocol, and images and masks as files."""

import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from tuner.data.fingerprint import Hasher
from tuner.data.mask_values import mask_values
from tuner.data.masks import Reading, examine_mask, reading_of
from tuner.data.pixels import read_image
from tuner.data.place import Files, Place


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


_DECIDING = threading.Lock()  # the interpretation of masks is decided once, by one thread


class FilePictures:
    """Images and masks as files, in a folder or in a bucket.

    Args:
        images: the file of each image.
        masks: the file of each image's mask, if it has one.
    """

    def __init__(self, images: Sequence[Place], masks: Sequence[Place | None]) -> None:
        self.images = images if isinstance(images, Files) else tuple(images)
        self.masks = tuple(masks)
        self._reading: Reading | None = None
        self._is_part = False

    def image(self, i: int) -> Image.Image:
        """Image `i` as upright RGB.

        Raises:
            ImageError: it cannot be read.
            StoreError: its bucket cannot be read.
        """
        return read_image(self.images[i])

    def mask(self, i: int) -> Image.Image | None:
        """The grey object mask of image `i`, 255 the object, or None.

        Raises:
            ImageError: it cannot be read.
            StoreError: its bucket cannot be read.
        """
        path = self.masks[i]
        return None if path is None else self.reading().grey(mask_values(path))

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
                    counts = np.stack([examine_mask(path).counts for path in self.masks if path is not None])
                self._reading = reading_of(counts)
            return self._reading

    def digests(self) -> list[list[str]]:
        """SHA-256 of every image's and mask's bytes, cached between runs (see `fingerprint`)."""
        masked = [mask for mask in self.masks if mask is not None]
        files = iter(Hasher().each([*self.images, *masked] if masked else self.images))
        images = [next(files) for _ in self.images]
        return [[image, next(files) if mask else ""] for image, mask in zip(images, self.masks, strict=True)]

    def part(self, index: np.ndarray) -> "FilePictures":
        """These images alone, in this order: small enough to be sent to a worker.

        Masks of a part mean what they mean in the whole. So `reading` is asked of the whole first, or the part is told
        the counts of all masks.

        Args:
            index: positions, (n,) int64.
        """
        chosen = index.tolist()
        images = self.images.part(index) if isinstance(self.images, Files) else [self.images[i] for i in chosen]
        part = FilePictures(images, [self.masks[i] for i in chosen])
        part._reading, part._is_part = self._reading, True
        return part
