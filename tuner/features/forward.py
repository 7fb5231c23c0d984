"""Runs a backbone over batches: whole batches on a GPU, a few images per thread on a CPU.

Threads that each take their own images need no barrier inside an operation, which made them several times faster on
a busy machine; and tokens do not depend on the number of threads or the batch size.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.errors import TunerError
from tuner.features.backbone import Backbone, Tokens

CPU_IMAGES = 2  # images per forward pass: larger activations leave a CPU's caches


@contextmanager
def forward(backbone: Backbone, device: torch.device) -> Iterator[Callable[[Tensor], Tokens]]:
    """Gives a function from images (n, 3, size, size) uint8, on any device, to tokens on `device`."""
    if device.type != "cpu":
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=False):
            yield lambda images: backbone.tokens(images.to(device))
        return
    n_threads = torch.get_num_threads()
    workers = min(n_threads, len(os.sched_getaffinity(0)))
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def tokens(images: Tensor) -> Tokens:
            parts = list(pool.map(backbone.tokens, torch.split(images, CPU_IMAGES)))
            patches = torch.cat([patches for patches, _ in parts])
            cls = [cls for _, cls in parts if cls is not None]
            return patches, torch.cat(cls) if cls else None

        try:
            yield tokens
        finally:
            torch.set_num_threads(n_threads)


def half_tokens(tokens: Tensor, path: Path | str) -> NDArray[np.float16]:
    """Tokens as float16, in the shape given, on the CPU.

    Args:
        tokens: of a batch of images, in any shape.
        path: the batch's first image, for the message.

    Raises:
        TunerError: a value does not fit.
    """
    half = tokens.half()
    if not torch.isfinite(half).all():
        raise TunerError(
            f"tokens beyond the range of float16 in the batch that begins with {path}",
            "finite tokens below 65504",
            "set norm=true of the backbone, or look at that image",
        )
    values: NDArray[np.float16] = half.cpu().numpy()
    return values
