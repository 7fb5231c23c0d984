"""How fast the tokens of an epoch are read off the disk: in any order, in blocks, and one after the other.

    python -m benchmarks.large_banks [--images 6000] [--rounds 3] [--folder FOLDER]

A bank of drawn tokens as ViT-B/14 has them at 224 pixels, 16 x 16 of width 768, is read through a memory map and by
position (`tuner.features.reading`), 256 MB at a time; with its pages dropped from the file cache first (`cold`), and
then again (`warm`). Best of several rounds, in GB/s of 1e9 bytes. Kept in benchmarks/results/large_banks.json.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import keep
from tuner.features.packing import array_width, packed, unpacking
from tuner.features.reading import read_into
from tuner.features.rows import Rows
from tuner.features.sharded_rows import direct
from tuner.qpm.order import WINDOW_BYTES, permutation

N_PATCHES, DIM, BATCH = 256, 768, 32


def write(file: Path, images: int, kind: str) -> None:
    """A bank of so many images, the same thousand again and again."""
    draw = torch.randn(min(images, 500), N_PATCHES, DIM, generator=torch.Generator().manual_seed(0))
    tokens = packed(draw, kind, file)
    shape = (images, N_PATCHES, array_width(kind, DIM))
    array = np.lib.format.open_memmap(file, "w+", tokens.dtype, shape)
    for start in range(0, images, len(tokens)):
        array[start : start + len(tokens)] = tokens[: images - start]
    array.flush()


def seconds(rows: Rows, order: np.ndarray, size: int, direct_read: bool) -> float:
    """Of one epoch in this order."""
    out = np.empty((size, *rows.shape[1:]), rows.dtype)
    started = time.perf_counter()
    for start in range(0, len(order), size):
        index = order[start : start + size]
        if direct_read:
            read_into(rows, index, out[: len(index)])
        else:
            out[: len(index)] = rows[index]
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=None, help="on the disk that is measured")
    options = parser.parse_args()
    image_bytes = 2 * N_PATCHES * DIM
    size = BATCH * (WINDOW_BYTES // (BATCH * image_bytes))
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for kind in ("float16", "int8"):
            file = Path(folder) / f"{kind}.npy"
            write(file, options.images, kind)
            mapped = np.lib.format.open_memmap(file, "r")
            ways = {"by position": unpacking(direct(mapped), kind)} | ({"mapped": mapped} if kind == "float16" else {})
            for turn in range(options.rounds):
                for shuffle in ("full", "blocks", "one after the other"):
                    draw = torch.Generator().manual_seed(turn)
                    order = (
                        torch.arange(options.images)
                        if shuffle not in ("full", "blocks")
                        else permutation(options.images, image_bytes, BATCH, shuffle, draw)
                    ).numpy()
                    for way, rows in ways.items():
                        for state in ("cold", "warm"):
                            if state == "cold":
                                forget(file)
                            took = seconds(rows, order, size, way == "by position")
                            name = f"{kind}, {shuffle}, {way}, {state}"
                            found[name] = max(found.get(name, 0.0), options.images * image_bytes / took / 1e9)
                            print(f"{name:50} {found[name]:.2f} GB/s of float16 tokens", flush=True)
    print("kept in", keep("large_banks", {"images": options.images, "gb_per_s": found}))


def forget(file: Path) -> None:
    """Drop a file's pages from the cache of this machine; a disk may have one of its own."""
    handle = os.open(file, os.O_RDONLY)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


if __name__ == "__main__":
    main()
