"""Boxes: the part of an image that is read, as if the file held nothing else."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tuner.data.modes import UnsupportedModeError

Box = tuple[int, int, int, int]  # left, top, right and bottom, in pixels of the upright image


def with_boxes(digests: Sequence[str], boxes: np.ndarray | None) -> list[str]:
    """Digests of what is read of each file: "" stays, and a box is added as `digest@left,top,right,bottom`.

    Args:
        digests: SHA-256 of each file.
        boxes: (n, 4) integers, -1 for a whole image; None: all are read whole.
    """
    if boxes is None:
        return list(digests)
    return [
        f"{digest}@{','.join(map(str, box))}" if digest and box[0] >= 0 else digest
        for digest, box in zip(digests, boxes.tolist(), strict=True)
    ]


def check_box(box: Box, size: tuple[int, int]) -> None:
    """Refuse a box that is not inside its image.

    Args:
        box: the box.
        size: width and height of the upright image.

    Raises:
        UnsupportedModeError: it is not; `pixels.opened` names the file.
    """
    if box[2] > size[0] or box[3] > size[1]:
        raise UnsupportedModeError(
            f"box {','.join(map(str, box))} in an image of {size[0]}x{size[1]}",
            "correct the box: left, top, right and bottom in pixels of the upright image",
        )


def cut_out(image: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    """The part of an image inside a box, at least a pixel.

    Args:
        image: upright, and possibly reduced.
        box: in pixels of the image before it was reduced.
        size: width and height before it was reduced.
    """
    across, down = image.width / size[0], image.height / size[1]
    left, top = int(box[0] * across), int(box[1] * down)
    right, bottom = round(box[2] * across), round(box[3] * down)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def cut_values(values: np.ndarray, box: Box | None) -> np.ndarray:
    """The part of a mask's values, (h, w), inside a box; None: all of them."""
    return values if box is None else values[box[1] : box[3], box[0] : box[2]]
