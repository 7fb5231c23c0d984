"""The feature banks of the ablations: plain, of mirrored images, and with pixels scaled as DINO-QPM does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps

from tuner.data.dataset import Pictures
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.features.backbone import Tokens
from tuner.features.bank import FeatureBank
from tuner.features.efficientnet import EfficientNetLite2
from tuner.features.extract import BankSource
from tuner.features.settings import BackboneConfig

CUB_MEAN, CUB_STD = (0.4853, 0.4964, 0.4295), (0.2300, 0.2258, 0.2625)


class Mirrored:
    """Pictures and masks of another source, left and right exchanged."""

    def __init__(self, source: Pictures) -> None:
        self.source = source

    def image(self, i: int) -> Image.Image:
        return ImageOps.mirror(self.source.image(i))

    def mask(self, i: int) -> Image.Image | None:
        mask = self.source.mask(i)
        return None if mask is None else ImageOps.mirror(mask)

    def digests(self) -> list[list[str]]:
        return [[f"mirrored {name}" for name in row] for row in self.source.digests()]


class ParityScaled(EfficientNetLite2):
    """Pixels by the data set's statistics, then each image to [0, 1] (docs/explanation/method.md#preprocessing),
    instead of the network's own scale."""

    def key_material(self) -> dict[str, Any]:
        return {**super().key_material(), "preprocessing": "parity"}

    @torch.inference_mode()
    def tokens(self, images: torch.Tensor) -> Tokens:
        mean, std = (torch.tensor(values)[:, None, None] for values in (CUB_MEAN, CUB_STD))
        pixels = (images.float() / 255 - mean) / std
        low, high = pixels.amin((1, 2, 3), keepdim=True), pixels.amax((1, 2, 3), keepdim=True)
        scaled = ((pixels - low) / (high - low).clamp(min=1e-6)).contiguous(memory_format=torch.channels_last)
        maps = self._network.extract_features(scaled)  # type: ignore[operator]
        return maps.flatten(2).transpose(1, 2), None


def bank(kind: str, image_size: int, root: str, folder: Path) -> FeatureBank:
    """The bank of a kind, in a folder of its own below `folder`; computed where it is not there yet."""
    settings = BackboneConfig(name="efficientnet_lite2", image_size=image_size)
    data = DataConfig(name="cub50", root=root)
    dataset = load_dataset(data)
    if kind == "mirrored":
        dataset = replace(dataset, pictures=Mirrored(dataset.pictures))
    source = BankSource(data, settings, dataset)
    if kind == "parity":
        source.network = ParityScaled(settings)
    return source.extract(folder / f"{kind}-{image_size}", device="cpu")
