"""Loads images for a backbone: threads decode and resize them some batches ahead of the computation."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from tuner.data.dataset import Dataset
from tuner.features.geometry import image_for, mask_on_grid, parts_on_grid

AHEAD = 3  # batches in preparation
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """Some images, ready for a backbone.

    Args:
        index: (n,) positions in the data set.
        images: (n, 3, size, size) uint8 RGB, the part of each image that enters the backbone.
        masks: (n, grid_h, grid_w) uint8, the grey object mask on the token grid; 0 without one.
        parts: (n, n_parts, 3) float32, keypoints on the token grid; None if the data set has none.
    """

    index: np.ndarray
    images: Tensor
    masks: np.ndarray
    parts: np.ndarray | None


Loaded = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # one image, its mask and its parts


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
    calls = ([partial(_load, dataset, int(i), size, grid, geometry) for i in chunk] for chunk in chunks)
    with closing(ahead(calls)) as loader:
        for chunk, loaded in zip(chunks, loader, strict=True):
            yield _collect(chunk, [one() for one in loaded])


def ahead(chunks: Iterable[Sequence[Callable[[], T]]], n_threads: int = 0) -> Generator[list[Callable[[], T]]]:
    """Makes calls in threads, some chunks ahead of the one that is yielded; chunks are asked for no earlier.

    Args:
        chunks: calls to make.
        n_threads: how many threads make them; 0: as many as this process has CPUs, at most 16.

    Yields:
        For each chunk, in order, functions that give the results of its calls or raise what they raised.
    """
    pending: deque[list[Future[T]]] = deque()
    with ThreadPoolExecutor(n_threads or min(16, len(os.sched_getaffinity(0)))) as pool:
        try:
            for chunk in chunks:
                pending.append([pool.submit(call) for call in chunk])
                if len(pending) > AHEAD:
                    yield [future.result for future in pending.popleft()]
            while pending:
                yield [future.result for future in pending.popleft()]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _collect(index: np.ndarray, loaded: Sequence[Loaded]) -> Batch:
    pixels, masks = np.stack([image for image, _, _ in loaded]), np.stack([mask for _, mask, _ in loaded])
    parts = [placed for _, _, placed in loaded if placed is not None]
    return Batch(index, torch.from_numpy(pixels).permute(0, 3, 1, 2), masks, np.stack(parts) if parts else None)


def _load(dataset: Dataset, i: int, size: int, grid: tuple[int, int], geometry: str) -> Loaded:
    """One image (size, size, 3) uint8, its mask and its parts on the grid."""
    image, mask = dataset.pictures.image(i), dataset.pictures.mask(i)
    pixels = np.asarray(image_for(image, size, geometry))
    on_grid = np.zeros(grid, np.uint8) if mask is None else mask_on_grid(np.asarray(mask), grid, geometry)
    parts = None if dataset.parts is None else parts_on_grid(dataset.parts[i], image.size, grid, geometry)
    return pixels, on_grid, parts
