"""Shards: the tokens of a run of consecutive images, computed, sealed and found again as one.

The images of a shard follow from the size of their tokens alone, and forward passes begin with the shard. So its bytes
depend neither on the machine that makes it, nor on where an earlier one died, nor on threads or `batch_size`
(docs/explanation/extraction.md says what holds for processors of different kinds).
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tuner.base.pulse import beat
from tuner.data.load import ImageCounts
from tuner.data.pixels import Facts, ImageError
from tuner.features.backbone import Backbone, Tokens
from tuner.features.forward import CPU_IMAGES, GPU_IMAGES, forward, half_tokens
from tuner.features.kept import token_type
from tuner.features.loading import Loaded, ahead, load_image
from tuner.features.packing import array_type, array_width, packed
from tuner.features.pieces import Done, Extractor, Piece, Tell, save_array
from tuner.features.shelf import Shelf

PUBLISHING = 2  # shards on their way to the shelf while the next ones are computed


def make_shards(shards: Sequence[Piece], shelf: Shelf, worker: Extractor, tell: Tell) -> Iterator[Done]:
    """Make the shards that are not on the shelf; while one is computed, images of the next ones are decoded.

    Args:
        shards: of one backbone.
        shelf: where they are kept.
        worker: this process.
        tell: told of images as they are done.

    Yields:
        One result for each shard, when it is sealed or known to be faulty.

    Raises:
        TunerError: weights are missing, the disk is full, or a token is too large.
    """
    if not shards:
        return
    network = worker.network(shelf, shards[0].fit)
    size = _batch_size(worker)
    order: deque[tuple[_Shard, slice]] = deque()
    found: list[Piece] = []

    def calls() -> Iterator[list[Callable[[], Loaded]]]:
        for piece in shards:
            if shelf.find(piece.kind, piece.key) is not None:
                found.append(piece)
                continue
            shard = _Shard(piece, network)
            for start in range(0, len(piece), size):
                rows = slice(start, min(start + size, len(piece)))
                order.append((shard, rows))
                yield [_call(piece, i, network) for i in range(*rows.indices(2**60))]

    publishing: deque[Future[Done]] = deque()
    with (
        forward(network, worker.target) as tokens,
        ThreadPoolExecutor(1, thread_name_prefix="publish") as publisher,
        closing(ahead(calls(), worker.n_threads)) as loader,
    ):
        for loaded in loader:
            shard, rows = order.popleft()
            shard.add(rows, loaded, tokens)
            beat()
            if not shard.faults:
                tell(rows.stop - rows.start)
            if rows.stop == len(shard.piece):
                publishing.append(publisher.submit(shard.publish, shelf, worker))
            while publishing and (len(publishing) > PUBLISHING or publishing[0].done()):
                yield publishing.popleft().result()
        while publishing:
            yield publishing.popleft().result()
    for piece in found:
        tell(len(piece))
        yield Done(len(piece))


def _batch_size(worker: Extractor) -> int:
    """Images that are loaded together: whole forward passes, so that their number changes no token."""
    if worker.target.type != "cpu":
        return GPU_IMAGES
    return -(-worker.backbone.batch_size // CPU_IMAGES) * CPU_IMAGES


class _Shard:
    """A shard while it is filled."""

    def __init__(self, piece: Piece, network: Backbone) -> None:
        self.piece, self.grid = piece, network.grid
        self.faults: list[ImageError] = []
        self.facts: list[Facts] = []
        n, (height, width) = len(piece), network.grid
        self.kind = token_type(network)
        patches = (n, height * width, array_width(self.kind, network.dim))
        self.arrays: dict[str, np.ndarray] = {"patches": np.empty(patches, array_type(self.kind))}
        if network.has_cls:
            self.arrays["cls"] = np.empty((n, network.dim), np.float16)
        if piece.has_mask.any():
            self.arrays["masks"] = np.zeros((n, height, width), np.uint8)
        if piece.parts is not None:
            self.arrays["parts"] = np.empty((n, *piece.parts.shape[1:]), np.float32)

    def add(self, rows: slice, calls: Sequence[Callable[[], Loaded]], tokens: Callable[[Tensor], Tokens]) -> None:
        """Compute the tokens of a batch, unless an image of the shard is faulty."""
        loaded = []
        for call in calls:
            try:
                loaded.append(call())
            except ImageError as fault:
                self.faults.append(fault)
        if self.faults:
            return
        self.facts += [one.facts for one in loaded if one.facts is not None]
        images = torch.from_numpy(np.stack([one.pixels for one in loaded])).permute(0, 3, 1, 2)
        patches, cls = tokens(images)
        path = self.piece.paths[rows.start]
        self.arrays["patches"][rows] = packed(patches, self.kind, path)
        if cls is not None:
            self.arrays["cls"][rows] = half_tokens(cls, path)
        for i, one in zip(range(rows.start, rows.stop), loaded, strict=True):
            if one.mask is not None:
                self.arrays["masks"][i] = one.mask
            if one.parts is not None:
                self.arrays["parts"][i] = one.parts

    def publish(self, shelf: Shelf, worker: Extractor) -> Done:
        """Seal it, if it has no faults."""
        if not self.faults:
            with worker.draft() as folder:
                for name, values in self.arrays.items():
                    save_array(folder / f"{name}.npy", values)
                meta: dict[str, Any] = {"images": len(self.piece), "counts": asdict(ImageCounts.of(self.facts))}
                shelf.publish(self.piece.kind, self.piece.key, folder, meta)
        self.arrays.clear()
        return Done(len(self.piece), tuple(self.faults))


def _call(piece: Piece, i: int, network: Backbone) -> Callable[[], Loaded]:
    """Loads one image of a shard."""
    size, grid, has_mask = network.image_size, network.grid, bool(piece.has_mask[i])
    parts = None if piece.parts is None else piece.parts[i]
    return partial(load_image, piece.pictures, i, size, grid, piece.geometry, has_mask=has_mask, parts=parts)
