"""Rows of many memory-mapped arrays behind each other, such as those of a bank's shards."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.features.rows import Rows


class ShardedRows:
    """Arrays with rows of one kind, behind each other; rows are copied when they are read.

    Args:
        parts: at least one array, all with the same type and the same shape of a row.
    """

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *parts[0].shape[1:])
        self.dtype: np.dtype[Any] = parts[0].dtype
        if any(part.shape[1:] != self.shape[1:] or part.dtype != self.dtype for part in parts):
            raise ValueError("parts of different rows")

    @property
    def nbytes(self) -> int:
        """Of all values."""
        return sum(part.nbytes for part in self.parts)

    def __len__(self) -> int:
        """The number of rows."""
        return self.shape[0]

    def __getitem__(self, index: slice | np.ndarray | Sequence[int] | int, /) -> np.ndarray:
        """Rows by a slice, positions (negative ones count from the end), or an (n,) bool mask.

        Raises:
            IndexError: there is no such row.
        """
        if isinstance(index, slice):
            return self._gather(np.arange(*index.indices(len(self))))
        if isinstance(index, int | np.integer):
            row: np.ndarray = self._gather(np.array([index]))[0]
            return row
        positions = np.asarray(index)
        if positions.dtype == np.bool_:
            if positions.shape != (len(self),):
                raise IndexError(f"a mask of {positions.shape} for {len(self)} rows")
            positions = np.flatnonzero(positions)
        return self._gather(positions.astype(np.int64, copy=False))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows in memory, for `np.asarray`."""
        return np.concatenate(self.parts).astype(self.dtype if dtype is None else dtype, copy=False)

    def _gather(self, positions: np.ndarray) -> np.ndarray:
        if len(positions) and not (-len(self) <= positions.min() and positions.max() < len(self)):
            raise IndexError(f"a row beyond the {len(self)} there are")
        places = np.where(positions < 0, positions + len(self), positions)
        which = np.searchsorted(self._ends, places, side="right")
        found = np.empty((len(places), *self.shape[1:]), self.dtype)
        for number in np.unique(which):
            here = which == number
            part = self.parts[number]
            found[here] = part[places[here] - (self._ends[number] - len(part))]
        return found


def together(parts: Sequence[np.ndarray]) -> Rows:
    """The rows of these arrays, behind each other; a single array is itself."""
    return parts[0] if len(parts) == 1 else ShardedRows(parts)
