"""Decides which mask values are the object, from the values of all masks of a data set together.

One file is not sufficient: 255 is the object in one data set and "no label" in another. The rule is documented in
docs/reference/images.md; `Reading.says` states the case that applies, and is printed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from PIL import Image

from tuner.data.boxes import Box, cut_values
from tuner.data.mask_values import Mask, mask_values
from tuner.data.pixels import Facts, ImageError
from tuner.errors import TunerError

SMALL_LABEL = 40  # labels up to here may have gaps; grey edges as dark as this do not occur alone
STRAY = 0.1  # labels with fewer pixels than this share of those at 255 are noise in a mask of 0 and 255
BRIGHT = 200  # grey masks reach this value, labels without 255 do not


@dataclass(frozen=True)
class MaskFacts:
    """Facts about a mask, from decoding it once.

    Args:
        size: width and height, upright.
        counts: number of pixels of each value (converted to 8 bits), (256,) int64.
        rim: the same for the pixels along the four edges, (256,) int64.
        digest: hash of its values, to recognize equal masks.
    """

    size: tuple[int, int]
    counts: np.ndarray
    rim: np.ndarray
    digest: bytes


@dataclass(frozen=True)
class Reading:
    """The interpretation of a data set's masks.

    Args:
        says: the rule in a sentence.
        levels: for each value the share of the pixel that is object, (256,) uint8, 255 for all of it.
    """

    says: str
    levels: np.ndarray

    def grey(self, values: np.ndarray) -> Image.Image:
        """A mask as a grey image in which 255 is the object."""
        return Image.fromarray(self.levels[values])

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """Share of object pixels of each mask, (n_masks,)."""
        share: np.ndarray = counts @ (self.levels / 255) / counts.sum(1)
        return share


def examine_mask(file: Mask, box: Box | None = None) -> MaskFacts:
    """Decode a mask and count its values.

    Args:
        file: the mask.
        box: the part of image and mask that is read; `size` stays that of the whole mask.

    Raises:
        ImageError: it cannot be read, or its values have no meaning.
    """
    values = mask_values(file)
    height, width = values.shape
    if box is not None and box[2] <= width and box[3] <= height:  # another one is refused with its image
        values = cut_values(values, box)
    digest = blake2b(values.tobytes(), digest_size=16, salt=f"{values.shape[1]}x{values.shape[0]}".encode()).digest()
    edges = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    counts, rim = (np.bincount(part, minlength=256) for part in (values.ravel(), edges))
    return MaskFacts((width, height), counts, rim, digest)


def misfit(mask: object, mask_size: tuple[int, int], facts: Facts) -> ImageError | None:
    """The error of a mask that is not as large as its image; None if it is.

    Args:
        mask: where it is, for the message.
        mask_size: its width and height, upright.
        facts: about its image.
    """
    (width, height), (mask_width, mask_height) = facts.size, mask_size
    if (mask_width, mask_height) == (width, height):
        return None
    lying = facts.turned and (mask_height, mask_width) == (width, height)
    return ImageError(
        f"{mask}: mask of {mask_width}x{mask_height} for an image of {width}x{height}"
        + (", which is stored rotated (EXIF) and shown upright" if lying else ""),
        "a mask as large as its image",
        "rotate such masks upright, or remove them" if lying else "correct or remove such masks",
    )


def reading_of(counts: np.ndarray) -> Reading:
    """Decide what the values of a data set's masks mean.

    Args:
        counts: pixels of each value in each mask, (n_masks, 256).

    Raises:
        TunerError: the background value is ambiguous.
    """
    area = counts.sum(0)
    values = np.flatnonzero(area)
    marks = values[values > 0]
    labels = marks[marks < 255]
    objects = marks
    if values.tolist() == [1, 2, 3]:
        says, objects = "are trimaps: 1 is the object; 2, background, and 3, border, are not", marks[:1]
    elif len(marks) <= 1:
        says = f"of two values: {marks[0]} is the object" if len(marks) else "without an object"
    elif area[0] == 0:
        raise TunerError(
            f"no mask has the value 0, so the background value is ambiguous ({_listed(values)})",
            "0 for the background, or trimaps of 1 (object), 2 (background) and 3 (border)",
            "save the masks with 0 for the background, or leave data.masks empty",
        )
    elif values.tolist() in ([0, 127, 255], [0, 128, 255]):
        says, objects = f"are trimaps: 255 is the object; 0, and {labels[0]}, unknown, are not", marks[1:]
    elif area[255] == 0 and marks.max() < BRIGHT:
        says = f"of labels: {_listed(marks)} are the object"
    elif _are_labels(labels) and not _share_a_file(counts, labels):
        says = f"of two encodings, labels {_listed(labels)} and 255: all of them are the object"
    elif _are_labels(labels) and area[labels].sum() >= STRAY * area[255]:
        says, objects = f"of labels: {_listed(labels)} are the object; 0, and 255, void, are not", labels
    else:
        grey = np.arange(256).astype(np.uint8)
        return Reading("masks are grey: 255 is the object, values between count as a share of it", grey)
    levels = np.zeros(256, dtype=np.uint8)
    levels[objects] = 255
    return Reading(f"masks {says}", levels)


def mask_notes(reading: Reading, facts: Sequence[MaskFacts], paths: Sequence[str], n_images: int) -> list[str]:
    """Notes on a data set's masks, one sentence each, including implausible findings.

    Args:
        reading: the interpretation of the masks.
        facts: facts about each mask.
        paths: path of each mask's image.
        n_images: number of images in the data set.
    """
    shares = reading.shares(np.stack([fact.counts for fact in facts]))
    rim = float(reading.shares(np.stack([fact.rim for fact in facts])).mean())
    mean, n = float(shares.mean()), len(facts)
    have = "has" if n == 1 else "have"
    notes = [f"{n:,} of {n_images:,} images {have} a mask, mean share {100 * mean:.3g} %; {reading.says}"]
    if mean > 0.9:
        notes.append(
            "masks cover nearly all of the images: plausibility will be high for any model; are they inverted?"
        )
    elif rim > 0.9:
        notes.append(f"masks cover {100 * rim:.0f} % of the images' edges, as a background does: are they inverted?")
    if mean < 0.001:
        notes.append("masks cover almost nothing: plausibility will be low for any model")
    for share, what in ((0.0, "empty"), (1.0, "all object")):
        if odd := [path for path, value in zip(paths, shares, strict=True) if value == share]:
            notes.append(f"{len(odd):,} of {n:,} masks are {what}, such as that of {odd[0]}")
    if n > 1 and len({fact.digest for fact in facts}) == 1:
        notes.append(f"all {n:,} masks are identical")
    return notes


def _are_labels(values: np.ndarray) -> bool:
    """Whether values between 0 and 255 look like labels rather than grey values: small, or dense and low."""
    high = int(values.max())
    return high <= SMALL_LABEL or (high < BRIGHT and len(values) > high / 3)


def _share_a_file(counts: np.ndarray, labels: np.ndarray) -> bool:
    """Whether any mask contains both labels and 255."""
    return bool(((counts[:, labels].sum(1) > 0) & (counts[:, 255] > 0)).any())


def _listed(values: np.ndarray) -> str:
    """ "1, 2, 7", or "1 to 150" where there are many."""
    if len(values) > 5:
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))
