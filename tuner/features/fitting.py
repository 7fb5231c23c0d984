"""What comes before the shards: facts about all masks, and what the backbone learns from the training images."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from tuner.base.pulse import beat
from tuner.data.dataset import FilePictures
from tuner.data.load import examine_pair
from tuner.data.masks import MaskFacts, examine_mask
from tuner.data.pixels import ImageError
from tuner.errors import TunerError
from tuner.features.arrays import read_array
from tuner.features.bank_files import FITTED, write_whole
from tuner.features.geometry import image_for
from tuner.features.loading import ahead
from tuner.features.pieces import Done, Extractor, Piece, Tell, save_array
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
                geometry = worker.backbone.geometry
                chunks = (range(start, min(start + FIT_BATCH, len(piece))) for start in range(0, len(piece), FIT_BATCH))
                calls = ([partial(_pixels, piece, i, size, geometry) for i in chunk] for chunk in chunks)
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


def _pixels(piece: Piece, i: int, size: int, geometry: str) -> np.ndarray:
    return np.asarray(image_for(piece.pictures.image(i), size, geometry))


def make_mask_facts(pieces: Sequence[Piece], shelf: Shelf, worker: Extractor, tell: Tell) -> Iterator[Done]:
    """Look at the masks of each piece, all of whose images have one."""
    for piece in pieces:
        if shelf.find(piece.kind, piece.key) is None:
            faults, seen = [], []
            assert isinstance(piece.pictures, FilePictures)
            with ThreadPoolExecutor(worker.n_threads or None) as pool:
                for found in pool.map(_examine_mask, piece.pictures.masks):
                    beat()
                    (faults if isinstance(found, TunerError) else seen).append(found)
            if faults:
                yield Done(len(piece), tuple(faults))
                continue
            with worker.draft() as folder:
                save_array(folder / "sizes.npy", np.array([fact.size for fact in seen], np.int64))
                save_array(folder / "counts.npy", np.stack([fact.counts for fact in seen]).astype(np.int64))
                save_array(folder / "rims.npy", np.stack([fact.rim for fact in seen]).astype(np.int64))
                digests = np.stack([np.frombuffer(fact.digest, np.uint8) for fact in seen])
                save_array(folder / "digests.npy", digests)
                shelf.publish(piece.kind, piece.key, folder, {"images": len(piece)})
        tell(len(piece))
        yield Done(len(piece))


def look_at(pieces: Sequence[Piece], shelf: Shelf, worker: Extractor, tell: Tell) -> Iterator[Done]:
    """Decode all images and masks, to name what is wrong with them."""
    for piece in pieces:
        pictures = piece.pictures
        assert isinstance(pictures, FilePictures)
        faults = []
        with ThreadPoolExecutor(worker.n_threads or None) as pool:
            for found in pool.map(examine_pair, pictures.images, pictures.masks):
                beat()
                faults += [found] if isinstance(found, ImageError) else []
        tell(len(piece))
        yield Done(len(piece), tuple(faults))


def read_mask_facts(folder: Path, n: int) -> list[MaskFacts]:
    """What `make_mask_facts` has kept of n masks.

    Raises:
        MalformedError: it is something else.
    """

    def array(name: str, dtype: type[np.generic], width: int) -> np.ndarray:
        return read_array(folder / f"{name}.npy", dtype, (n, width), mapped=False)

    sizes, digests = array("sizes", np.int64, 2), array("digests", np.uint8, 16)
    counts, rims = array("counts", np.int64, 256), array("rims", np.int64, 256)
    return [
        MaskFacts((int(size[0]), int(size[1])), count, rim, digest.tobytes())
        for size, count, rim, digest in zip(sizes, counts, rims, digests, strict=True)
    ]


def _examine_mask(file: Path | None) -> MaskFacts | ImageError:
    assert file is not None
    try:
        return examine_mask(file)
    except ImageError as fault:
        return fault
