"""Fits a backbone on the training images, where it learns from them, before the shards are made."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from tuner.base.pulse import beat
from tuner.data.pixels import ImageError
from tuner.features.bank_files import FITTED, write_whole
from tuner.features.geometry import image_for
from tuner.features.loading import ahead
from tuner.features.pieces import Done, Extractor, Piece, Tell
from tuner.features.shelf import Shelf

FIT_BATCH = 64  # images; fixed, because sums are rounded


def make_fits(pieces: Sequence[Piece], shelf: Shelf, worker: Extractor, tell: Tell) -> Iterator[Done]:
    """Fit the backbone on the images of each piece, and keep what it has learned.

    Raises:
        TunerError: weights are missing, or the disk is full.
    """
    for piece in pieces:
        if shelf.find(piece.kind, piece.key) is None:
            network = worker.network(shelf)

            def batches(piece: Piece = piece, size: int = network.image_size) -> Iterator[Tensor]:
                chunks = (range(start, min(start + FIT_BATCH, len(piece))) for start in range(0, len(piece), FIT_BATCH))
                calls = ([partial(_pixels, piece, i, size) for i in chunk] for chunk in chunks)
                with closing(ahead(calls, worker.n_threads)) as loader:
                    for loaded in loader:
                        beat()
                        yield torch.from_numpy(np.stack([one() for one in loaded])).permute(0, 3, 1, 2)

            try:
                network.fit(batches())
            except ImageError as fault:
                yield Done(len(piece), (fault,))
                continue
            with worker.draft() as folder:
                write_whole(folder / FITTED, safetensors.torch.save(network.state()))
                shelf.publish(piece.kind, piece.key, folder, {"images": len(piece)})
            worker.forget()
        tell(len(piece))
        yield Done(len(piece))


def _pixels(piece: Piece, i: int, size: int) -> np.ndarray:
    return np.asarray(image_for(piece.pictures.image(i), size, piece.geometry))
