"""Any vision transformer or convolutional network of timm, as a frozen backbone (docs/how-to/backbones.md)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tuner.data.fingerprint import Hasher
from tuner.features.backbone import Pretrained, Tokens
from tuner.features.resize import RESIZE
from tuner.features.settings import TimmSettings
from tuner.features.timm_network import load, shape_of, tokens_of
from tuner.features.timm_package import timm
from tuner.features.timm_weights import find_weights

FIRST = "1.0.31"  # of timm, the first that banks were made by: their keys do not name it


def timm_of(material: Mapping[str, Any]) -> str:
    """The version of timm that computed tokens, by what shaped them (`key_material`); empty: another backbone did."""
    return str(material.get("timm", FIRST)) if material.get("name") == "timm" else ""


class Timm(Pretrained):
    """Patch tokens of a chosen layer, and CLS where there is one; registers are dropped.

    Args:
        config: `weights` and `model` name the network; `image_size`, `layer` and `norm` shape its tokens.
        offline: never ask the hub.

    Attributes:
        package: whose code computes the tokens.
        licence: of the weights, as timm names it, or `unknown`.

    Raises:
        UsageError: settings that do not fit the network.
        TunerError: timm or the weights are missing; the message says where to get and put them.
    """

    package = "timm"

    def __init__(self, config: TimmSettings, *, offline: bool = False) -> None:
        self._source = find_weights(config, offline=offline)
        self._layer, self._norm = config.layer, config.norm
        self.image_size = config.image_size or self._source.preprocessing.size
        shape = shape_of(self._source, self.image_size, self._layer, self._norm)
        self.grid, self.dim, self.has_cls = shape.grid, shape.dim, shape.has_cls
        self.licence: str | None = self._source.licence
        self._network: nn.Module = nn.Identity()
        self._mean, self._std = torch.zeros(0), torch.zeros(0)

    def key_material(self) -> dict[str, Any]:
        """Weights, architecture, preprocessing, every option that shapes the tokens, and timm, which has the code."""
        source, pixels, version = self._source, self._source.preprocessing, str(timm().__version__)
        return {
            **({} if version == FIRST else {"timm": version}),
            "name": "timm",
            "code": 1,
            "model": source.architecture,
            "arguments": {name: source.arguments[name] for name in sorted(source.arguments)},
            "weights": Hasher().digest(source.file),
            "image_size": self.image_size,
            "layer": self._layer,
            "norm": self._norm,
            "mean": list(pixels.mean),
            "std": list(pixels.std),
            RESIZE: {"share": pixels.share, "filter": pixels.filter},
        }

    def load(self, device: torch.device) -> None:
        """Builds the network for this image size and reads its weights; position embeddings are resampled by timm."""
        self._network = load(self._source, self.image_size).to(device)
        pixels = self._source.preprocessing
        self._mean = torch.tensor(pixels.mean, device=device)[:, None, None]
        self._std = torch.tensor(pixels.std, device=device)[:, None, None]

    @torch.inference_mode()
    def tokens(self, images: Tensor) -> Tokens:
        """See `Backbone.tokens`."""
        pixels = (images.float() / 255 - self._mean) / self._std
        maps, cls = tokens_of(self._network, pixels, layer=self._layer, norm=self._norm)
        return maps.flatten(2).transpose(1, 2).float(), None if cls is None else cls.float()
