"""Pixels as tokens, with the initial weights of a ResNet: the bank of networks that are trained end to end.

So images and weights reach every node through the store like any other bank, and the same splits, masks and keys apply.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from tuner.errors import UsageError
from tuner.features.backbone import Tokens
from tuner.features.licences import UNKNOWN
from tuner.features.resnet_network import network_shapes
from tuner.features.resnet_sizes import PIXELS
from tuner.features.resnet_weights import NONE, PUBLISHED_LICENCE, initial_weights, weights_digest
from tuner.features.settings import PixelsSettings

USUAL_SIZE = 232  # a crop of 224 moves by four pixels to each side, as the published padding of four
SMALLEST = 32


class Pixels:
    """Each pixel is a token of width 3 with values from 0 to 255, which float16 holds exactly; there is no CLS token.

    Args:
        config: `weights` names the ResNet's initial weights (see `initial_weights`), `depth` its layers; `image_size`
            is 232 unless set.
        offline: take the weights from this machine only.

    Raises:
        UsageError: the images are too small.
    """

    dim = 3
    has_cls = False

    def __init__(self, config: PixelsSettings, *, offline: bool = False) -> None:
        self.image_size = config.image_size or USUAL_SIZE
        if self.image_size < SMALLEST:
            raise UsageError(f"backbone.image_size={self.image_size}", f"at least {SMALLEST}", "raise it")
        self.grid = (self.image_size, self.image_size)
        self.depth = config.depth
        self._weights, self._offline = config.weights, offline
        own = {"": PUBLISHED_LICENCE, NONE: None}
        self.licence: str | None = own.get(config.weights, UNKNOWN)
        self._state: dict[str, Tensor] = {}

    def key_material(self) -> dict[str, Any]:
        """Size of the images, depth and weights of the ResNet."""
        about = {"name": PIXELS, "code": 1, "image_size": self.image_size, "depth": self.depth}
        return about | {"weights": weights_digest(self._weights, self.depth, offline=self._offline)}

    def load(self, device: torch.device) -> None:
        """Nothing to compute with."""

    def needs_fit(self) -> bool:
        """Until the initial weights were read."""
        return not self._state

    def fit(self, images: Iterable[Tensor]) -> None:
        """Read the initial weights; the images play no part.

        Raises:
            TunerError: they are missing, or of another network.
        """
        self._state = initial_weights(self._weights, self.depth, offline=self._offline)

    def state(self) -> dict[str, Tensor]:
        """The initial weights."""
        return self._state

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take the initial weights."""
        self._state = state

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of every weight and statistic of the network."""
        return network_shapes(self.depth)

    def tokens(self, images: Tensor) -> Tokens:
        """See `Backbone.tokens`: the pixels themselves."""
        return images.flatten(2).transpose(1, 2).float(), None
