"""Reads images of a bank from its files into memory that is there already, in the order in which they lie on the disk.

A memory map would be read a few pages at a time, and its pages would count as memory of the process. It serves where a
file has been removed meanwhile.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tuner.base.untrusted import unsound
from tuner.features.rows import Rows

MOST_PLACES = 512  # that one call fills; Linux takes 1,024
Index = NDArray[np.int64]


@runtime_checkable
class ReadsInto(Rows, Protocol):
    """Rows that fill an array that is there already, and whose tokens can be read one by one."""

    def read_into(self, index: Index, out: np.ndarray) -> None:
        """The images at `index`, (m,) int64, into `out`, (m, ...) of the rows' type, in the order of `index`."""
        ...

    def by_token(self) -> Rows | None:
        """One token a row, (n_images * n_patches, dim); None where that cannot be."""
        ...


class FileRows:
    """Rows of one file, read by position.

    Args:
        array: C-ordered rows from the file's first on, mapped.
        file: the file, as it was when it was mapped.
        start: where the rows begin in it, bytes.
        number: of the file on its disk.
    """

    def __init__(self, array: np.ndarray, file: Path, start: int, number: int) -> None:
        self._array, self._path, self._start, self._number = array, file, start, number
        self.shape, self.dtype, self.nbytes = array.shape, array.dtype, int(array.nbytes)

    @classmethod
    def of(cls, array: Rows) -> Self | None:
        """Rows of a whole mapped file; None for any other array."""
        if not isinstance(array, np.memmap) or array.filename is None:
            return None
        path = Path(str(array.filename))
        if isinstance(array.base, mmap.mmap) and array.flags.c_contiguous and path.is_file():
            return cls(array, path, int(array.offset), path.stat().st_ino)
        return None

    def __len__(self) -> int:
        """The number of images."""
        return int(self.shape[0])

    def __getitem__(self, index: Any) -> np.ndarray:
        """Some images, by slice or int64 indices."""
        return gathered(self, index)

    def by_token(self) -> "FileRows":
        """See `ReadsInto`."""
        tokens = self._array.reshape(-1, *self.shape[2:])
        return FileRows(tokens, self._path, self._start, self._number)

    def read_into(self, index: Index, out: np.ndarray) -> None:
        """See `ReadsInto`."""
        self.fill(index, out, np.arange(len(index)))

    def fill(self, index: Index, out: np.ndarray, places: Index) -> None:
        """The images at `index` into `out[places]`, both (m,) int64."""
        order = np.argsort(index, kind="stable")
        index, places = index[order], places[order]
        if (handle := self._opened()) is None:
            out[places] = self._array[index]
            return
        row_bytes = self.nbytes // max(len(self), 1)
        with closing(os.fdopen(handle, "rb", buffering=0)):
            for run in _runs(index):
                views = [_bytes_of(out[place]) for place in places[run].tolist()]
                self._read(handle, self._start + int(index[run.start]) * row_bytes, views)

    def _opened(self) -> int | None:
        """The file that was mapped; None if it is gone or another one has its name."""
        try:
            handle = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        if os.fstat(handle).st_ino == self._number:
            return handle
        os.close(handle)
        return None

    def _read(self, handle: int, start: int, places: list[memoryview]) -> None:
        """Bytes from `start` on into places of one length each, as many calls as the system needs."""
        row_bytes = len(places[0])
        wanted, done = row_bytes * len(places), 0
        while done < wanted:
            first, within = divmod(done, row_bytes)
            ahead = [places[first][within:], *places[first + 1 : first + MOST_PLACES]]
            count = os.preadv(handle, ahead, start + done)
            if count == 0:
                raise unsound(self._path, "it has become shorter", "a bank that does not change while it is read")
            done += count


def read_into(rows: Rows, index: Index, out: np.ndarray) -> None:
    """Reads the images at `index`, (m,) int64, into `out`, (m, ...), in the order of `index`."""
    if isinstance(rows, ReadsInto):
        rows.read_into(index, out)
        return
    order = np.argsort(index, kind="stable")  # neighbours on the disk one after the other
    out[order] = rows[index[order]]


def gathered(rows: ReadsInto, index: Any) -> np.ndarray:
    """Rows as NumPy's indexing along the first axis gives them; always a copy.

    Args:
        rows: what is indexed.
        index: a slice, a position (negative ones count from the end), positions, or an (n,) bool mask.

    Raises:
        IndexError: there is no such row.
    """
    chosen = np.arange(len(rows))[index]
    out = np.empty((chosen.size, *rows.shape[1:]), rows.dtype)
    rows.read_into(np.atleast_1d(chosen), out)
    one: np.ndarray = out[0] if chosen.ndim == 0 else out
    return one


def _bytes_of(row: np.ndarray) -> memoryview:
    return memoryview(row.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def _runs(ascending: Index) -> Iterator[slice]:
    """Stretches of consecutive numbers."""
    cuts = [0, *(np.flatnonzero(np.diff(ascending) != 1) + 1).tolist(), len(ascending)]
    return (slice(a, b) for a, b in pairwise(cuts) if b > a)
