"""Reads images of a bank from its files into memory that is there already, in the order in which they lie on the disk.

A memory map would be read a few pages at a time, and its pages would count as memory of the process.
"""

import copy
import mmap
import os
import weakref
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tuner.base.untrusted import unsound
from tuner.features.rows import Rows
from tuner.features.sharded_rows import ShardedRows


@runtime_checkable
class ByToken(Protocol):
    """Rows of tokens that can be read one by one."""

    def by_token(self) -> Rows | None:
        """One token a row, (n_images * n_patches, dim); None where they cannot be."""
        ...


@runtime_checkable
class ReadsInto(Protocol):
    """Rows that fill an array that is there already."""

    def read_into(self, index: NDArray[np.int64], out: np.ndarray) -> None:
        """The images at `index`, (m,) int64, into `out`, (m, ...) of the rows' type, in the order of `index`."""
        ...


class FileRows:
    """Rows of one file, read by position.

    Args:
        array: a whole C-ordered array, mapped from the file.
        stays_open: whether the file stays open, so that it may be removed meanwhile; else it is opened for each read.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, array: "np.memmap[Any, Any]", *, stays_open: bool = True) -> None:
        self.shape, self.dtype, self.nbytes = array.shape, array.dtype, int(array.nbytes)
        self._path = Path(str(array.filename))
        self._start = int(array.offset)
        self._owner = self  # of the open file
        self._file: int | None = None
        if stays_open:
            self._file = os.open(self._path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        """The number of images."""
        return int(self.shape[0])

    def __getitem__(self, index: Any) -> np.ndarray:
        """Some images, by slice or int64 indices."""
        rows = np.arange(len(self))[index]
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        self.read_into(rows, out)
        return out

    def by_token(self) -> "FileRows":
        """The same file with one token a row, (n_images * n_patches, dim)."""
        tokens = copy.copy(self)
        tokens.shape = (self.shape[0] * self.shape[1], *self.shape[2:])
        tokens._owner = self
        return tokens

    def read_into(self, index: NDArray[np.int64], out: np.ndarray) -> None:
        """See `ReadsInto`."""
        row_bytes = self.nbytes // max(len(self), 1)
        file = os.open(self._path, os.O_RDONLY) if self._file is None else self._file
        try:
            self._read_runs(file, row_bytes, index, out)
        finally:
            if self._file is None:
                os.close(file)

    def _read_runs(self, file: int, row_bytes: int, index: NDArray[np.int64], out: np.ndarray) -> None:
        places = [memoryview(row).cast("B") for row in out.reshape(len(index), -1)]  # type: ignore[arg-type]
        order = np.argsort(index, kind="stable")
        for run in _runs(index[order]):
            self._read(file, self._start + int(index[order[run.start]]) * row_bytes, [places[i] for i in order[run]])

    def _read(self, file: int, start: int, places: list[memoryview]) -> None:
        """Bytes from `start` on into places of one length each, as many calls as the system needs."""
        row_bytes = len(places[0])
        wanted, done = row_bytes * len(places), 0
        while done < wanted:
            first, within = divmod(done, row_bytes)
            ahead = [places[first][within:], *places[first + 1 : first + MOST_PLACES]]
            count = os.preadv(file, ahead, start + done)
            if count == 0:
                raise unsound(self._path, "it has become shorter", "a bank that does not change while it is read")
            done += count


MOST_OPEN = 128  # files of one bank; a process may have some 1,000
MOST_PLACES = 512  # that one call fills; Linux takes 1,024


def _runs(ascending: NDArray[np.int64]) -> Iterator[slice]:
    """Stretches of consecutive numbers."""
    cuts = [0, *(np.flatnonzero(np.diff(ascending) != 1) + 1).tolist(), len(ascending)]
    return (slice(a, b) for a, b in pairwise(cuts) if b > a)


def direct(rows: Rows, *, stays_open: bool = True) -> Rows:
    """The same rows, read by position where they are whole mapped files, one or many behind each other."""
    if isinstance(rows, ShardedRows):
        few = len(rows.parts) <= MOST_OPEN
        return ShardedRows([direct(part, stays_open=few and stays_open) for part in rows.parts])
    if not isinstance(rows, np.memmap) or rows.filename is None:
        return rows
    whole = isinstance(rows.base, mmap.mmap) and rows.flags.c_contiguous
    return FileRows(rows, stays_open=stays_open) if whole and Path(str(rows.filename)).is_file() else rows


def read_into(rows: Rows, index: NDArray[np.int64], out: np.ndarray) -> None:
    """Reads the images at `index`, (m,) int64, into `out`, (m, ...), in the order of `index`."""
    if isinstance(rows, ReadsInto):
        rows.read_into(index, out)
        return
    order = np.argsort(index, kind="stable")  # neighbours on the disk one after the other
    out[order] = rows[index[order]]
