"""Looks at masks, whose values have one meaning in a data set, and at images that are broken; imports no torch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from tuner.base.pulse import beat
from tuner.data.dataset import FilePictures
from tuner.data.load import look
from tuner.data.masks import MaskFacts
from tuner.data.pixels import ImageError
from tuner.errors import TunerError
from tuner.features.arrays import read_array
from tuner.features.pieces import Done, Extractor, Piece, Tell, save_array
from tuner.features.shelf import Shelf


def make_mask_facts(pieces: Sequence[Piece], shelf: Shelf, worker: Extractor, tell: Tell) -> Iterator[Done]:
    """Look at the masks of each piece, all of whose images have one."""
    for piece in pieces:
        if shelf.find(piece.kind, piece.key) is None:
            faults: list[TunerError] = []
            seen: list[MaskFacts] = []
            assert isinstance(piece.pictures, FilePictures)
            with ThreadPoolExecutor(worker.n_threads or None) as pool:
                for found in pool.map(partial(_mask_facts, piece.pictures), range(len(piece))):
                    beat()
                    if isinstance(found, TunerError):
                        faults.append(found)
                    else:
                        seen.append(found)
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
            for found in pool.map(partial(look, pictures), range(len(piece))):
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


def _mask_facts(pictures: FilePictures, i: int) -> MaskFacts | ImageError:
    try:
        return pictures.mask_facts(i)
    except ImageError as fault:
        return fault
