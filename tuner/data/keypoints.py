"""Keypoints of parts of objects, such as a bird's beak: listed by image, brought into one array."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tuner.errors import UsageError

MOST_PARTS = 1000


def keypoint_array(points: np.ndarray, rows: Mapping[int, int], file: Path) -> np.ndarray:
    """The keypoints of the images, (n_images, n_parts, 3) float32: x, y, and 1 where visible.

    Args:
        points: a line for each visible part of an image: number of the image, number of the part from 1 on, x and y
            in pixels from the upper left corner, (n, 4) float64. Those of other images are left out.
        rows: row of each image, by its number.
        file: where they are from, for messages.

    Raises:
        UsageError: something else, two points of one part of an image, or none at all.
    """
    whole = (points[:, :2] % 1 == 0).all() and ((points[:, 1] >= 1) & (points[:, 1] <= MOST_PARTS)).all()
    if not (whole and np.isfinite(points).all()):
        raise UsageError(
            f"{file} holds an image or a part that is no number of one, or a place that is no number",
            f"whole numbers of images, of parts from 1 to {MOST_PARTS}, and places in pixels",
            "correct it, or remove it: without it, metrics of parts are left out",
        )
    points = points[np.isin(points[:, 0], list(rows))]
    images = np.array([rows[int(number)] for number in points[:, 0]], dtype=np.int64)
    numbers = points[:, 1].astype(np.int64) - 1
    found, times = np.unique(np.stack([images, numbers], axis=1), axis=0, return_counts=True)
    if len(points) == 0 or times.max() > 1:
        what = "lists no visible part of any image"
        if len(points):
            image, part = found[times.argmax()]
            number = next(number for number, row in rows.items() if row == image)
            what = f"places part {part + 1} of image {number} twice"
        raise UsageError(f"{file} {what}", "each visible part of an image once", "correct it, or remove it")
    parts = np.zeros((len(rows), int(numbers.max()) + 1, 3), np.float32)
    parts[images, numbers, :2] = points[:, 2:]
    parts[images, numbers, 2] = 1.0
    return parts
