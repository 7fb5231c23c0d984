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

from tuner.data.dataset import Dataset, FilePictures, Pictures
from tuner.data.pixels import Facts
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


@dataclass(frozen=True)
class Loaded:
    """One image as a backbone gets it.

    Args:
        pixels: the part of the image that enters the backbone, (size, size, 3) uint8 RGB.
        mask: the grey object mask on the token grid, (grid_h, grid_w) uint8; None without one.
        parts: keypoints on the token grid, (n_parts, 3) float32; None if the data set has none.
        facts: about the image's file; None where it is none.
    """

    pixels: np.ndarray
    mask: np.ndarray | None
    parts: np.ndarray | None
    facts: Facts | None


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

    def call(i: int) -> Callable[[], Loaded]:
        parts = None if dataset.parts is None else dataset.parts[i]
        has_mask = bool(dataset.has_mask[i])
        return partial(load_image, dataset.pictures, i, size, grid, geometry, has_mask=has_mask, parts=parts)

    calls = ([call(int(i)) for i in chunk] for chunk in chunks)
    with closing(ahead(calls)) as loader:
        for chunk, loaded in zip(chunks, loader, strict=True):
            yield _collect(chunk, [one() for one in loaded], grid)


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


def _collect(index: np.ndarray, loaded: Sequence[Loaded], grid: tuple[int, int]) -> Batch:
    images = torch.from_numpy(np.stack([one.pixels for one in loaded])).permute(0, 3, 1, 2)
    masks = np.stack([np.zeros(grid, np.uint8) if one.mask is None else one.mask for one in loaded])
    parts = [one.parts for one in loaded if one.parts is not None]
    return Batch(index, images, masks, np.stack(parts) if parts else None)


def load_image(
    pictures: Pictures,
    i: int,
    size: int,
    grid: tuple[int, int],
    geometry: str,
    *,
    has_mask: bool,
    parts: np.ndarray | None = None,
) -> Loaded:
    """Decodes one image and its mask, once, and brings them to the backbone's size and grid.

    Args:
        pictures: where it comes from.
        i: its position there.
        size: side of the square, pixels.
        grid: token grid of the mask.
        geometry: see `batches`.
        has_mask: whether it has a mask.
        parts: its keypoints in pixels, (n_parts, 3); None if the data set has none.

    Raises:
        ImageError: it cannot be read, or its mask is not as large.
    """
    facts, grey = None, None
    if isinstance(pictures, FilePictures):
        image, facts, grey = pictures.examined(i)
    else:
        image = pictures.image(i)
        grey = pictures.mask(i) if has_mask else None
    mask = None if grey is None else mask_on_grid(np.asarray(grey), grid, geometry)
    placed = None if parts is None else parts_on_grid(parts, image.size, grid, geometry)
    return Loaded(np.asarray(image_for(image, size, geometry)), mask, placed, facts)
