"""Loads images for a backbone: threads decode and resize them some batches ahead of the computation."""

import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuner.data.dataset import Dataset
from tuner.features.geometry import image_for, mask_on_grid

AHEAD = 3  # batches in preparation


@dataclass(frozen=True)
class Batch:
    """Some images, ready for a backbone.

    Args:
        index: (n,) positions in the data set.
        images: (n, 3, size, size) uint8 RGB, the part of each image that enters the backbone.
        masks: (n, grid_h, grid_w) uint8, the grey object mask on the token grid; 0 without one.
    """

    index: np.ndarray
    images: Tensor
    masks: np.ndarray


def batches(
    dataset: Dataset,
    index: Sequence[int] | np.ndarray,
    size: int,
    grid: tuple[int, int],
    batch_size: int,
    geometry: str = "squash",
) -> Generator[Batch]:
    """Yields the chosen images in order, decoding ahead in threads.

    Args:
        dataset: where they come from.
        index: positions in the data set.
        size: side of the square, pixels.
        grid: token grid of the masks.
        batch_size: images per batch.
        geometry: which part of an image becomes the square: see `tuner.features.geometry`.

    Raises:
        ImageError: an image cannot be read.
    """
    positions = np.asarray(index, dtype=np.int64)
    chunks = [positions[start : start + batch_size] for start in range(0, len(positions), batch_size)]
    pending: deque[list[Future[tuple[np.ndarray, np.ndarray]]]] = deque()
    with ThreadPoolExecutor(min(16, len(os.sched_getaffinity(0)))) as pool:
        try:
            for n in range(len(chunks) + AHEAD):
                if n < len(chunks):
                    pending.append([pool.submit(_load, dataset, int(i), size, grid, geometry) for i in chunks[n]])
                if n >= AHEAD:
                    yield _collect(chunks[n - AHEAD], pending.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _collect(index: np.ndarray, futures: list[Future[tuple[np.ndarray, np.ndarray]]]) -> Batch:
    pixels, masks = zip(*(future.result() for future in futures), strict=True)
    return Batch(index, torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2), np.stack(masks))


def _load(dataset: Dataset, i: int, size: int, grid: tuple[int, int], geometry: str) -> tuple[np.ndarray, np.ndarray]:
    """One image (size, size, 3) uint8 and its mask on the grid."""
    image, mask = dataset.pictures.image(i), dataset.pictures.mask(i)
    pixels = np.asarray(image_for(image, size, geometry))
    return pixels, np.zeros(grid, np.uint8) if mask is None else mask_on_grid(np.asarray(mask), grid, geometry)
