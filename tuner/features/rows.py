"""One array over the images of a bank that need not be in memory: of one file, of many, or packed."""

from typing import Any, Protocol

import numpy as np


class Rows(Protocol):
    """An array whose first axis is images; it is read where it is indexed. A memory map is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Images first."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what indexing gives."""
        ...

    @property
    def nbytes(self) -> int:
        """Of the whole array, as indexing gives it."""
        ...

    def __len__(self) -> int:
        """The number of images."""
        ...

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """Some images, by slice or int64 indices, in that order."""
        ...
