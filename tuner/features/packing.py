"""How patch tokens lie on the disk: as float16, or in about half the bytes as int8 or float8 with a scale a token
(docs/explanation/large-banks.md#what-is-kept).

A packed token is its numbers, one byte each, and its scale, a float32, in one int8 array (..., dim + 4).
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.features.forward import half_tokens
from tuner.features.reading import ReadsInto, gathered, read_into
from tuner.features.rows import Rows
from tuner.features.settings import SCALE_BYTES, TOKEN_TYPES
from tuner.features.sharded_rows import direct

FLOAT16, INT8, FLOAT8 = TOKEN_TYPES
LARGEST = {INT8: 127.0, FLOAT8: 448.0}  # that a byte holds; float8 is e4m3 without infinities
CHUNK_BYTES = 16_000_000  # unpacked at a time


def array_type(kind: str) -> type[np.generic]:
    """Type of the array on the disk."""
    return np.float16 if kind == FLOAT16 else np.int8


def array_width(kind: str, dim: int) -> int:
    """Length of its last axis."""
    return dim if kind == FLOAT16 else dim + SCALE_BYTES


def packed(tokens: Tensor, kind: str, path: Any) -> NDArray[Any]:
    """Tokens as they lie on the disk, of `array_type` and `array_width`.

    Args:
        tokens: (..., dim), any float type.
        kind: one of `TOKEN_TYPES`.
        path: the batch's first image, for the message.

    Raises:
        TunerError: a value does not fit float16.
    """
    half = half_tokens(tokens, path)
    if kind == FLOAT16:
        return half
    values = torch.from_numpy(half).float()
    scale = values.abs().amax(-1, keepdim=True) / LARGEST[kind]
    scale[scale == 0] = 1.0
    if kind == INT8:
        numbers = (values / scale).round().to(torch.int8)
    else:
        numbers = (values / scale).to(torch.float8_e4m3fn).view(torch.int8)
    return torch.cat([numbers, scale.view(torch.int8)], -1).numpy()


def unpacked(array: NDArray[np.int8], kind: str) -> Tensor:
    """What was packed, (..., dim) float16; the same on every machine."""
    whole = torch.from_numpy(array)
    numbers, scale = whole[..., :-SCALE_BYTES].contiguous(), whole[..., -SCALE_BYTES:].contiguous().view(torch.float32)
    exact = numbers if kind == INT8 else numbers.view(torch.float8_e4m3fn)
    return (exact.float() * scale).half()


def as_stored(tokens: Tensor, kind: str, path: Any) -> NDArray[np.float16]:
    """Tokens as a bank that keeps them gives them back, (..., dim) float16; see `packed`."""
    array = packed(tokens, kind, path)
    return array if kind == FLOAT16 else unpacked(array, kind).numpy()


def unpacking(rows: Rows, kind: str) -> Rows:
    """Rows as they lie on the disk, as float16."""
    return rows if kind == FLOAT16 else PackedRows(rows, kind)


class PackedRows:
    """Packed rows that are unpacked where they are read.

    Args:
        rows: (n_images, n_patches, dim + 4) int8.
        kind: `int8` or `float8`.
    """

    def __init__(self, rows: Rows, kind: str) -> None:
        self._rows, self._kind = direct(rows), kind
        self.shape = (*rows.shape[:-1], rows.shape[-1] - SCALE_BYTES)
        self.dtype = np.dtype(np.float16)
        self.nbytes = self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        """The number of images."""
        return int(self.shape[0])

    def __getitem__(self, index: Any) -> np.ndarray:
        """Some images, by slice or int64 indices."""
        return gathered(self, index)

    def by_token(self) -> Rows | None:
        """See `tuner.features.reading.ReadsInto`."""
        flat = self._rows.by_token() if isinstance(self._rows, ReadsInto) else None
        return None if flat is None else PackedRows(flat, self._kind)

    def read_into(self, index: NDArray[np.int64], out: np.ndarray) -> None:
        """See `tuner.features.reading.ReadsInto`."""
        ascending = np.argsort(index, kind="stable")
        size = max(1, CHUNK_BYTES // max(self.nbytes // max(len(self), 1), 1))
        for start in range(0, len(index), size):
            chosen = ascending[start : start + size]
            raw = np.empty((len(chosen), *self._rows.shape[1:]), np.int8)
            read_into(self._rows, index[chosen], raw)
            out[chosen] = unpacked(raw, self._kind).numpy()
