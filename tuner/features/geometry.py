"""Which part of an image enters the backbone: all of it, squashed, or its middle, uncut in its proportions.

Images, masks and the pictures that people see all ask here, so that a map always lies on what the backbone saw
(docs/explanation/method.md#preprocessing).

A geometry is a text: `squash` or `crop`, as a recipe has it, or with what a backbone's weights say of resizing, such as
`crop 0.9 bicubic`.
"""

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from tuner.features.resize import FILTERS

Box = tuple[float, float, float, float]

CROPPED = 224 / 256  # the short side becomes 256 for each 224 pixels of input; the rest is cut off


def _read(geometry: str) -> tuple[str, float, Image.Resampling]:
    """Which of the two it is, the share of the short side that a crop leaves, and the filter of resizing."""
    name, *told = geometry.split(" ")
    if told:
        return name, float(told[0]), FILTERS[told[1]]
    return name, CROPPED, FILTERS["bilinear" if name == "squash" else "bicubic"]


def region(width: int, height: int, geometry: str) -> Box:
    """Left, top, right and bottom of the part that enters the backbone, in pixels of the image.

    Args:
        width: of the image, pixels.
        height: of the image, pixels.
        geometry: `squash`: all of it; `crop`: the square in the middle that a resize of the short side to 256 and a
            centre crop of 224 leave, or the weights' own share of the short side.
    """
    name, share, _ = _read(geometry)
    if name == "squash":
        return 0.0, 0.0, float(width), float(height)
    side = share * min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def image_for(image: Image.Image, size: int, geometry: str) -> Image.Image:
    """The square of `size` pixels that the backbone gets; antialiased, with the filter that the weights ask for.

    Where they ask for none: bilinear for `squash` and bicubic for `crop`.
    """
    return image.resize((size, size), _read(geometry)[2], box=region(*image.size, geometry))


def part_shown(image: Image.Image, geometry: str) -> np.ndarray:
    """The part that enters the backbone at its own resolution, (h, w, 3) uint8, for pictures."""
    left, top, right, bottom = (round(edge) for edge in region(*image.size, geometry))
    return np.asarray(image.crop((left, top, max(right, left + 1), max(bottom, top + 1))))


def mask_on_grid(mask: np.ndarray, grid: tuple[int, int], geometry: str = "squash") -> np.ndarray:
    """Resizes the same part of a grey mask to the token grid, bilinear without antialias, as OpenCV's INTER_LINEAR
    (docs/explanation/method.md#plausibility).

    Args:
        mask: (h, w) uint8.
        grid: rows and columns.
        geometry: of the image that the mask belongs to.

    Returns:
        (grid_h, grid_w) uint8, rounded.
    """
    grey = torch.from_numpy(mask.astype(np.float32))[None, None]
    if _read(geometry)[0] == "squash":
        resized = F.interpolate(grey, size=grid, mode="bilinear", align_corners=False, antialias=False)
    else:
        height, width = mask.shape
        left, top, right, bottom = region(width, height, geometry)
        rows, columns = _centres(top, bottom, grid[0]) / height, _centres(left, right, grid[1]) / width
        places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
        sampled = (2 * places - 1)[None].float()  # from -1 to 1 over the mask
        resized = F.grid_sample(grey, sampled, mode="bilinear", padding_mode="border", align_corners=False)
    on_grid: np.ndarray = resized[0, 0].round().to(torch.uint8).numpy()
    return on_grid


def parts_on_grid(parts: np.ndarray, size: tuple[int, int], grid: tuple[int, int], geometry: str) -> np.ndarray:
    """Brings keypoints to the token grid; those outside of the part that enters the backbone are not visible.

    Args:
        parts: x and y in pixels, and 1 if visible, (n_parts, 3).
        size: width and height of the image, pixels.
        grid: rows and columns.
        geometry: of the image.

    Returns:
        (n_parts, 3) float32: x and y in tokens from the upper left corner, and 1 if visible; 0 where not.
    """
    left, top, right, bottom = region(*size, geometry)
    x, y = (parts[:, 0] - left) / (right - left), (parts[:, 1] - top) / (bottom - top)
    seen = (parts[:, 2] > 0) & (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    placed = np.stack([x * grid[1], y * grid[0], np.ones_like(x)], axis=1)
    return np.where(seen[:, None], placed, 0.0).astype(np.float32)


def _centres(low: float, high: float, n: int) -> torch.Tensor:
    """The middle of each of n equal parts from low to high, (n,) float64."""
    return low + (torch.arange(n, dtype=torch.float64) + 0.5) * (high - low) / n
