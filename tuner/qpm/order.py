"""The order of the images of an epoch (docs/explanation/large-banks.md#order).

It follows from settings, seed and sizes alone: wherever the tokens lie, the batches are the same.
"""

import torch
from torch import Tensor

BLOCK_BYTES = 4_000_000  # of tokens that lie behind one another and are read at once
WINDOW_BYTES = 256_000_000  # of tokens that are mixed; as much as is streamed at once, see tuner.features.feeding


def permutation(n: int, image_bytes: int, batch: int, shuffle: str, draw: torch.Generator) -> Tensor:
    """Positions of n images in the order of an epoch, (n,) int64.

    `full` is any order. `blocks` cuts the images into blocks of neighbours, brings the blocks into any order, and mixes
    the images of each window of blocks; so an image shares its window with its neighbours more often than by chance. Of
    images that all fit into one window it is the full order.

    Args:
        n: number of images.
        image_bytes: tokens of one image.
        batch: images in a batch; a window holds whole batches.
        shuffle: `full` or `blocks`.
        draw: draws the order.
    """
    image_bytes = max(image_bytes, 1)
    window = batch * max(1, WINDOW_BYTES // (batch * image_bytes))
    if shuffle == "full" or n <= window:
        return torch.randperm(n, generator=draw)
    size = max(1, BLOCK_BYTES // image_bytes)
    blocks = torch.randperm(-(-n // size), generator=draw)
    neighbours = (blocks.unsqueeze(1) * size + torch.arange(size)).flatten()
    windows = torch.split(neighbours[neighbours < n], window)
    return torch.cat([part[torch.randperm(len(part), generator=draw)] for part in windows])
