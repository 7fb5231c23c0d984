"""Brings batches of samples to the device: gathered there where the tokens are resident, else streamed in blocks, out
of main memory or off the disk.

Which of them it is changes no batch. A block is gathered in pinned memory by a thread of its own while the device
computes on the block before, and no copy is waited for.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from tuner.base.host_memory import available_bytes
from tuner.base.pulse import beat
from tuner.features.samples import Samples
from tuner.features.stored_tokens import StoredTokens

BLOCK_BYTES = 256_000_000  # of tokens in one block
BLOCK_SHARE = 1 / 16  # of free main memory, at most, for a block off the disk; up to three are there at a time
Batch = tuple[Tensor, Tensor | None, Tensor]
Tokens = tuple[Tensor, Tensor | None]


def gathered(samples: Samples, index: Tensor, size: int, block_bytes: int | None = None) -> Iterator[Batch]:
    """Batches of patches, CLS and labels of some images, on the device of the samples.

    Args:
        samples: resident or streamed.
        index: (m,) int64 on the CPU, the images in their order.
        size: images in a batch; the last may be smaller.
        block_bytes: tokens of one block, where they are streamed, at least one batch; None: BLOCK_BYTES, or less
            where main memory is short.
    """
    block_bytes = _block_bytes(samples) if block_bytes is None else block_bytes
    on_device = index.to(samples.device)
    tokens = _streamed(samples, index, size, block_bytes) if samples.streamed else _resident(samples, on_device, size)
    for (patches, cls), batch in zip(tokens, torch.split(on_device, size), strict=True):
        beat()
        yield patches, cls, samples.labels.index_select(0, batch)


def in_order(samples: Samples, size: int) -> Iterator[tuple[slice, Tokens]]:
    """All images, `size` at a time: their rows, patches and CLS, on the device of the samples."""
    rows = [slice(start, start + size) for start in range(0, len(samples), size)]
    if samples.streamed:
        batches = gathered(samples, torch.arange(len(samples)), size)
        yield from ((rows_of_it, (patches, cls)) for rows_of_it, (patches, cls, _) in zip(rows, batches, strict=True))
        return
    for part in rows:
        beat()
        yield part, (samples.patches[part], None if samples.cls is None else samples.cls[part])


def _block_bytes(samples: Samples) -> int:
    if not isinstance(samples.patches, StoredTokens):
        return BLOCK_BYTES
    return int(min(BLOCK_BYTES, BLOCK_SHARE * available_bytes()))


def _resident(samples: Samples, index: Tensor, size: int) -> Iterator[Tokens]:
    for batch in torch.split(index, size):
        cls = None if samples.cls is None else samples.cls.index_select(0, batch)
        yield samples.resident_patches.index_select(0, batch), cls


def _streamed(samples: Samples, index: Tensor, size: int, block_bytes: int) -> Iterator[Tokens]:
    per_image = samples.token_bytes // max(len(samples), 1)
    blocks = torch.split(index, size * max(1, block_bytes // (size * max(per_image, 1))))
    with ThreadPoolExecutor(1, thread_name_prefix="tokens") as pool:
        coming = pool.submit(_block, samples, blocks[0])
        for following in [*blocks[1:], None]:
            waiting, cls = coming.result()
            patches = waiting.to(samples.device, non_blocking=True)
            cls = None if cls is None else cls.to(samples.device, non_blocking=True)
            if following is not None:
                coming = pool.submit(_block, samples, following)
            for start in range(0, len(patches), size):
                rows = slice(start, start + size)
                yield patches[rows], None if cls is None else cls[rows]


def _block(samples: Samples, index: Tensor) -> Tokens:
    """Tokens of some images, in memory from which a GPU copies on its own."""

    def gather(tokens: Tensor | StoredTokens) -> Tensor:
        place = torch.empty(len(index), *tokens.shape[1:], dtype=tokens.dtype, pin_memory=samples.device.type == "cuda")
        if isinstance(tokens, StoredTokens):
            tokens.only(index).into(place)
            return place
        return torch.index_select(tokens, 0, index, out=place)

    return gather(samples.patches), None if samples.cls is None else gather(samples.cls)
