"""Patch tokens that stay on the disk: some images of a bank, read when a batch needs them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.base.untrusted import require_finite
from tuner.features.reading import ReadsInto, read_into
from tuner.features.rows import Rows
from tuner.features.sharded_rows import direct

CHUNK_BYTES = 16_000_000  # read at a time where more is asked for at once


@dataclass(frozen=True)
class StoredTokens:
    """Tokens of some images, (n, n_patches, dim), on the disk; indexing reads them into a tensor.

    Args:
        rows: tokens of all images of the bank.
        index: (n,) int64, the images among them, in this order.
        where: the bank, for the error.
    """

    rows: Rows
    index: NDArray[np.int64]
    where: object

    @classmethod
    def of(cls, rows: Rows, index: NDArray[np.int64], where: object) -> "StoredTokens":
        """Some images of a bank, read from its files as directly as they can be."""
        return cls(direct(rows), index, where)

    def __len__(self) -> int:
        """The number of images."""
        return len(self.index)

    @property
    def shape(self) -> torch.Size:
        """Images, patches, width."""
        return torch.Size((len(self.index), *self.rows.shape[1:]))

    @property
    def nbytes(self) -> int:
        """Memory that they would take."""
        return len(self.index) * (self.rows.nbytes // max(len(self.rows), 1))

    @property
    def dtype(self) -> torch.dtype:
        """Of the tensors that are read."""
        return torch.from_numpy(np.empty(0, self.rows.dtype)).dtype

    @property
    def device(self) -> torch.device:
        """Where they are read to."""
        return torch.device("cpu")

    def __getitem__(self, key: Any) -> Tensor:
        """Reads the images at a position, a slice, indices or a mask; or, of a pair, the tokens at places in images."""
        if isinstance(key, tuple):
            images, places = (torch.as_tensor(part).cpu() for part in key)
            return self._at(images.flatten(), places.flatten()).view(*images.shape, -1)
        if isinstance(key, int):
            return self[key : key + 1 or None][0]
        chosen = self.only(key)
        out = torch.empty(chosen.shape, dtype=self.dtype)
        chosen.into(out)
        return out

    def only(self, key: Tensor | np.ndarray | slice) -> "StoredTokens":
        """The images at a slice, indices or a mask, still on the disk."""
        chosen = key.cpu().numpy() if isinstance(key, Tensor) else key
        return StoredTokens(self.rows, self.index[chosen], self.where)

    def _at(self, images: Tensor, places: Tensor) -> Tensor:
        """Single tokens, (m, dim); where they cannot be read one by one, their images are, some at a time."""
        if isinstance(self.rows, ReadsInto) and (flat := self.rows.by_token()) is not None:
            tokens = self.index[images.numpy()] * self.rows.shape[1] + places.numpy()
            return StoredTokens(flat, tokens, self.where)[:]
        size = max(1, CHUNK_BYTES // max(self.nbytes // max(len(self), 1), 1))
        parts = zip(torch.split(images, size), torch.split(places, size), strict=True)
        return torch.cat([self[chosen][torch.arange(len(chosen)), at] for chosen, at in parts])

    def into(self, out: Tensor) -> None:
        """Reads all of them into a tensor of their shape, on any device, a part at a time.

        Raises:
            MalformedError: a token is no number.
        """
        size = max(1, CHUNK_BYTES // max(self.nbytes // max(len(self), 1), 1))
        for start in range(0, len(self), size):
            index, place = self.index[start : start + size], out[start : start + size]
            on_cpu = place if out.device.type == "cpu" else torch.empty(place.shape, dtype=out.dtype)
            values = on_cpu.numpy()
            read_into(self.rows, index, values)
            require_finite(values, "a token", self.where)
            if on_cpu is not place:
                place.copy_(on_cpu)

    def to(self, device: torch.device | str) -> Tensor:
        """Reads all of them into a tensor on a device."""
        out = torch.empty(self.shape, dtype=self.dtype, device=device)
        self.into(out)
        return out
