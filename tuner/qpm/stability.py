"""Stability: do decision and explanation stay when an image is changed so little that no person would notice
(docs/explanation/method.md#stability)?

It needs the backbone once more for each change, so it is no metric of an evaluation but measured on demand.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from tuner.data.pixels import through_jpeg
from tuner.qpm.classifier import Activations, Classifier

NOISE = 8.0  # deviation of the noise, of 255
JPEG_QUALITY = 60
NEAR = 1  # patches, in each direction, by which a peak may move and still stand where it was


@dataclass(frozen=True)
class Stability:
    """What one change of the images leaves, in percent, mean over images.

    Attributes:
        decision: images whose predicted class stays.
        evidence: of the evidence for the class predicted on the unchanged image, what stays.
        peaks: of the features of that class, those whose peak stays within one patch.
        n_images: number of images.
    """

    decision: float
    evidence: float
    peaks: float
    n_images: int


def _noisy(pixels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(pixels + draw.normal(0.0, NOISE, pixels.shape)), 0, 255).astype(np.uint8)


def _compressed(pixels: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return through_jpeg(pixels, JPEG_QUALITY)


def _mirrored(pixels: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return np.asarray(ImageOps.mirror(Image.fromarray(pixels)))


CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "noise": _noisy,
    "jpeg": _compressed,
    "mirror": _mirrored,
}
"""Changes of an image by name: (height, width, 3) uint8 to the same; a mirrored image's peaks are mirrored back."""


def changed(images: Tensor, change: str, first: int) -> Tensor:
    """Images after a change, the same whatever batch they come in.

    Args:
        images: (n, 3, size, size) uint8.
        change: one of `CHANGES`.
        first: number of the first of them among all images, which seeds the noise of each.
    """
    pixels = images.permute(0, 2, 3, 1).cpu().numpy()
    made = [CHANGES[change](image, np.random.default_rng([first + i, 0x57AB])) for i, image in enumerate(pixels)]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).contiguous()


@torch.no_grad()
def compared(model: Classifier, plain: Activations, other: Activations, *, mirrored: bool) -> Tensor:
    """Decision, evidence and peaks of each image that stay, (n, 3) shares of one.

    Args:
        model: with the head.
        plain: of the images.
        other: of the changed images.
        mirrored: whether these are mirrored.
    """
    predicted = plain.logits.argmax(1)
    row = model.weight[predicted]  # (n, width)
    zero = model.head_inputs(torch.zeros_like(plain.pooled))
    before, after = (row * (model.head_inputs(seen.pooled) - zero) for seen in (plain, other))
    lost = (before - after).abs().sum(1) / (before.abs() + after.abs()).sum(1).clamp(min=1e-12)
    used = (row != 0).double()
    near = _near(plain.maps, other.maps, model.map_grid, mirrored=mirrored).double()
    peaks = (near * used).sum(1) / used.sum(1).clamp(min=1.0)
    return torch.stack([(other.logits.argmax(1) == predicted).double(), 1.0 - lost.double(), peaks], 1)


def summary(parts: Iterable[Tensor]) -> Stability:
    """Means over all images, of what `compared` gave for batches of them."""
    shares = torch.cat(list(parts))
    decision, evidence, peaks = (100.0 * shares.mean(0)).tolist()
    return Stability(decision, evidence, peaks, len(shares))


def _near(maps: Tensor, others: Tensor, grid: tuple[int, int], *, mirrored: bool) -> Tensor:
    """Whether the peaks of maps, (n, n_patches, width), lie within `NEAR` patches of each other, (n, width)."""
    width = grid[1]
    (row, column), (other_row, other_column) = (
        (place // width, place % width) for place in (maps.argmax(1), others.argmax(1))
    )
    if mirrored:
        other_column = width - 1 - other_column
    return ((row - other_row).abs() <= NEAR) & ((column - other_column).abs() <= NEAR)
