"""Augmented batches of pixels, prepared by threads some steps ahead of the network."""

import math
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from tuner.base.pulse import beat
from tuner.features.samples import Samples
from tuner.qpm.randomness import generator
from tuner.qpm.resnet.augmentation import augmented
from tuner.qpm.resnet.settings import ResnetTraining

AHEAD = 4  # batches


def training_batches(
    train: Samples, crop: int, config: ResnetTraining, device: torch.device, *, stage: str, seed: int, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: pixels (n, crop * crop, 3) uint8 and labels (n,), in random order; the last batch may be smaller."""
    order = torch.randperm(len(train), generator=generator(seed, stage, "order", epoch))
    prepare = partial(_prepared, train, crop, config.augment, stage, seed, epoch)
    with ThreadPoolExecutor(min(16, len(os.sched_getaffinity(0)))) as pool:
        pending: deque[tuple[Tensor, list[Future[np.ndarray]]]] = deque()
        for index in [*torch.split(order, config.batch_size), *[None] * AHEAD]:
            if index is not None:
                pending.append((index, [pool.submit(prepare, i) for i in index.tolist()]))
            if pending and (index is None or len(pending) > AHEAD):
                beat()
                chosen, futures = pending.popleft()
                pixels = torch.from_numpy(np.stack([future.result() for future in futures])).flatten(1, 2)
                if device.type == "cuda":
                    pixels = pixels.pin_memory()
                yield pixels.to(device, non_blocking=True), train.labels[chosen].to(device, non_blocking=True)


def _prepared(train: Samples, crop: int, is_augmented: bool, stage: str, seed: int, epoch: int, i: int) -> np.ndarray:
    """One image, (crop, crop, 3) uint8."""
    side = math.isqrt(train.patches.shape[1])
    pixels = train.patches[i].to(torch.uint8).view(side, side, 3).numpy()
    if is_augmented:
        draw = np.random.default_rng(generator(seed, stage, "augmentation", epoch, i).initial_seed())
        return augmented(pixels, crop, draw)
    edge = (side - crop) // 2
    return pixels[edge : edge + crop, edge : edge + crop]
