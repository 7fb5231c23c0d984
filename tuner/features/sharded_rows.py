"""Rows of many arrays behind each other, such as those of a bank's shards."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.features.reading import FileRows, Index, ReadsInto, gathered
from tuner.features.rows import Rows


class ShardedRows:
    """Arrays with rows of one kind, behind each other; rows are copied when they are read.

    Args:
        parts: at least one array, all with the same type and the same shape of a row.
    """

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *parts[0].shape[1:])
        self.dtype: np.dtype[Any] = parts[0].dtype
        self.nbytes = sum(part.nbytes for part in parts)
        if any(part.shape[1:] != self.shape[1:] or part.dtype != self.dtype for part in parts):
            raise ValueError("parts of different rows")

    def __len__(self) -> int:
        """The number of rows."""
        return self.shape[0]

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """See `tuner.features.reading.gathered`."""
        return gathered(self, index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows in memory, for `np.asarray`."""
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)

    def by_token(self) -> "ShardedRows | None":
        """See `tuner.features.reading.ReadsInto`."""
        flat = [part.by_token() if isinstance(part, ReadsInto) else None for part in self.parts]
        found = [part for part in flat if part is not None]
        return ShardedRows(found) if len(found) == len(flat) else None

    def read_into(self, index: Index, out: np.ndarray) -> None:
        """See `tuner.features.reading.ReadsInto`."""
        which = np.searchsorted(self._ends, index, side="right")
        for number in np.unique(which).tolist():
            places, part = np.flatnonzero(which == number), self.parts[number]
            rows = index[places] - (int(self._ends[number]) - len(part))
            if isinstance(part, FileRows):
                part.fill(rows, out, places)
            else:
                out[places] = part[rows]


def together(parts: Sequence[np.ndarray]) -> Rows:
    """The rows of these arrays, behind each other; a single array is itself."""
    return parts[0] if len(parts) == 1 else ShardedRows(parts)


def direct(rows: Rows) -> Rows:
    """The same rows, read by position where they are mapped files; there may be thousands, each open while it is read.

    Others are as they were, such as a part of a mapped file.
    """
    if isinstance(rows, ShardedRows):
        return ShardedRows([direct(part) for part in rows.parts])
    mapped = FileRows.of(rows)
    return rows if mapped is None else mapped
