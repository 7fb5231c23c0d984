"""The input of a stage of the method: tokens, labels and masks, as tensors on one device; tokens that do not fit
there stay in main memory or on the disk, and are streamed (see feeding.py).

The interface between features and method: it depends neither on files nor on backbones.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tuner.base.host_memory import available_bytes
from tuner.features.stored_tokens import StoredTokens

SHARE_OF_FREE = 0.6  # of a GPU's memory for tokens; the rest is for models, gradients and activations
SHARE_OF_HOST = 0.25  # of free main memory for the tokens of one side of a split: others load at the same time


def room_bytes(device: torch.device) -> float:
    """What tokens may take of a device's memory: a share of what is free on a GPU now, elsewhere any amount."""
    return SHARE_OF_FREE * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else math.inf


def token_room() -> float:
    """What the tokens of one side of a split may take of main memory now, in bytes
    (docs/explanation/large-banks.md).
    """
    return SHARE_OF_HOST * available_bytes()


@dataclass(frozen=True)
class Samples:
    """Some images of a feature bank; tokens are stored as float16 and used as float32.

    Args:
        patches: patch tokens, row-major over the grid, (n, n_patches, dim) float16 or float32; perhaps on the disk.
        cls: CLS tokens, (n, dim); None where the backbone has none.
        labels: class indices, (n,) int64.
        masks: grey object masks on the token grid, (n, grid_h, grid_w) uint8; None if the data set has none.
        has_mask: which images have a mask, (n,) bool; None if the data set has no masks.
        grid: tokens per column and per row, `grid[0] * grid[1] == n_patches`.
        n_classes: number of classes of the data set, present here or not.
        image_attributes: (n, n_attributes) int8, 1 present, 0 absent, -1 unknown.
        class_attributes: (n_classes, n_attributes) float32, percent.
        parts: keypoints, (n, n_parts, 3) float32: x and y in patches from the upper left corner, and 1 if visible.
        content: equal numbers for images that are copies or belong together otherwise, (n,) int64; None: all differ.
        streamed: whether the tokens, patches and CLS, stay where they are while the rest is on the device.
    """

    patches: Tensor | StoredTokens
    cls: Tensor | None
    labels: Tensor
    masks: Tensor | None
    has_mask: Tensor | None
    grid: tuple[int, int]
    n_classes: int
    image_attributes: Tensor | None = None
    class_attributes: Tensor | None = None
    parts: Tensor | None = None
    content: Tensor | None = None
    streamed: bool = False

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def dim(self) -> int:
        """Width of a token."""
        return self.patches.shape[-1]

    @property
    def device(self) -> torch.device:
        """Where the labels lie, and the tokens unless they are streamed; batches are computed there."""
        return self.labels.device

    @property
    def resident_patches(self) -> Tensor:
        """The patch tokens as a tensor; those on the disk are read, all of them."""
        return self.patches.to("cpu") if isinstance(self.patches, StoredTokens) else self.patches

    @property
    def token_bytes(self) -> int:
        """Memory that the tokens take."""
        return self.patches.nbytes + (0 if self.cls is None else self.cls.nbytes)

    def to(self, device: torch.device | str) -> "Samples":
        """The same samples with every tensor on `device`, and what is on the disk read into it."""
        tensors: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if hasattr(v, "to")}
        return replace(self, **tensors, streamed=False)

    def near(self, device: torch.device) -> "Samples":
        """The same samples for computing on `device`: wholly there if the tokens fit, else with streamed tokens."""
        stays = isinstance(self.patches, StoredTokens) and device.type == "cpu"
        if not stays and (self.patches.device.type == device.type or self.token_bytes <= room_bytes(device)):
            return self.to(device)
        rest = replace(self, patches=torch.empty(0), cls=None).to(device)
        return replace(rest, patches=self.patches, cls=self.cls, streamed=True)

    def subset(self, index: Tensor | np.ndarray) -> "Samples":
        """The images chosen by `index`, (m,) int64 or an (n,) bool mask, in its order."""
        chosen = torch.as_tensor(index)
        per_image = ("patches", "cls", "labels", "masks", "has_mask", "image_attributes", "parts", "content")
        parts: dict[str, Any] = {
            name: value.only(chosen) if isinstance(value, StoredTokens) else value[chosen.to(value.device)]
            for name in per_image
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **parts)
