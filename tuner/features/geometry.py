"""Which part of an image enters the backbone: all of it, squashed, or its middle, uncut in its proportions.

Images, masks and the pictures that people see all ask here, so that a map always lies on what the backbone saw
(docs/explanation/method.md#preprocessing).
"""

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

Box = tuple[float, float, float, float]

CROPPED = 224 / 256  # the short side becomes 256 for each 224 pixels of input; the rest is cut off


def region(width: int, height: int, geometry: str) -> Box:
    """Left, top, right and bottom of the part that enters the backbone, in pixels of the image.

    Args:
        width: of the image, pixels.
        height: of the image, pixels.
        geometry: `squash`: all of it; `crop`: the square in the middle that a resize of the short side to 256 and a
            centre crop of 224 leave.
    """
    if geometry == "squash":
        return 0.0, 0.0, float(width), float(height)
    side = CROPPED * min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def image_for(image: Image.Image, size: int, geometry: str) -> Image.Image:
    """The square of `size` pixels that the backbone gets; antialiased, bilinear for `squash` and bicubic for `crop`."""
    how = Image.Resampling.BILINEAR if geometry == "squash" else Image.Resampling.BICUBIC
    return image.resize((size, size), how, box=region(*image.size, geometry))


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
    if geometry == "squash":
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


def _centres(low: float, high: float, n: int) -> torch.Tensor:
    """The middle of each of n equal parts from low to high, (n,) float64."""
    return low + (torch.arange(n, dtype=torch.float64) + 0.5) * (high - low) / n
