"""A ResNet as a classifier like all others: its final maps are the feature maps, its tokens are pixels.

`PixelAdapter` takes the place of the adapter, so evaluation and explanation need nothing else.
"""

import math
from dataclasses import replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuner.base.untrusted import require, settings_from
from tuner.features.resnet_network import build_network
from tuner.features.resnet_sizes import STRIDE, WIDTHS
from tuner.features.samples import Samples
from tuner.qpm.classifier import Classifier
from tuner.qpm.finetuning import QpmModel
from tuner.qpm.randomness import linear
from tuner.qpm.resnet.settings import ResnetShape


class PixelAdapter(nn.Module):
    """Pixels to feature maps and pooled features.

    Args:
        config: depth, crop and number of features; with fewer features than channels, `chosen` says which.
        init: draws the initial weights; None leaves them unset, to be loaded.
    """

    mean: Tensor
    std: Tensor
    chosen: Tensor
    dim = 3

    def __init__(self, config: ResnetShape, init: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.network = build_network(config.depth, init)
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))
        self.register_buffer("chosen", torch.arange(config.width))

    @property
    def width(self) -> int:
        """Number of features."""
        return self.config.width

    def forward(
        self, patches: Tensor, cls: Tensor | None = None, noise: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Feature maps (n, n_positions, width) and their means (n, width).

        Args:
            patches: pixels of square images from 0 to 255, (n, side * side, 3), side at least the crop.
            cls: None.
            noise: unused; dropout is the classifier's.
        """
        side = math.isqrt(patches.shape[1])
        images = patches.to(self.mean.dtype).view(-1, side, side, 3).permute(0, 3, 1, 2)
        edge = (side - self.config.crop) // 2
        images = images[..., edge : edge + self.config.crop, edge : edge + self.config.crop]
        shape = (3, 1, 1)
        maps = self.network((images - self.mean.view(shape)) / self.std.view(shape))
        if self.width < maps.shape[1]:
            maps = maps.index_select(1, self.chosen)
        maps = maps.flatten(2).transpose(1, 2)
        return maps, maps.mean(1)

    def check(self, where: object) -> None:
        """Refuse channels and deviations that no training gives.

        Raises:
            MalformedError: naming `where` they are from.
        """
        low, high, most = int(self.chosen.min()), int(self.chosen.max()), WIDTHS[self.config.depth][-1]
        require(low >= 0 and high < most, where, f"it uses channels from {low} to {high}", f"channels below {most}")
        require((self.std > 0).all(), where, "a deviation of the colours is not above 0", "deviations of pixels")

    def cut(self, features: Tensor) -> "PixelAdapter":
        """A copy that puts out only these channels, (n_features,) int64, in their order."""
        smaller = PixelAdapter(replace(self.config, width=len(features)))
        state = self.state_dict() | {"chosen": features}
        smaller.load_state_dict(state)
        return smaller.train(self.training).to(self.mean.device)


class OfPixels(Classifier):
    """What both ResNets share: how they are read from a file, and masks on the grid of their maps."""

    adapter: PixelAdapter  # type: ignore[assignment]

    @classmethod
    def read_config(cls, found: Any, file: object) -> Any:
        """See `Classifier.read_config`."""
        config = settings_from(ResnetShape, found, file)
        most = WIDTHS[config.depth][-1]
        require(config.width <= most, file, f"its width is {config.width}", f"at most {most} channels")
        return config

    def check(self, where: object) -> None:
        """See `Classifier.check`; the crop must lie within the images."""
        super().check(where)
        crop, side = self.adapter.config.crop, min(self.grid)
        require(crop <= side, where, f"its crop is {crop}", f"at most the {side} pixels of its images")

    @property
    def map_grid(self) -> tuple[int, int]:
        """Rows and columns of the feature maps."""
        side = -(-self.adapter.config.crop // STRIDE)
        return side, side

    def seen(self, samples: Samples) -> Samples:
        """Masks and parts under the geometry of the images: the centre crop, then the grid of the maps; masks bilinear
        without antialias (docs/explanation/method.md#plausibility)."""
        crop = self.adapter.config.crop
        top, left = ((side - crop) // 2 for side in samples.grid)
        if samples.masks is not None:
            masks = samples.masks[:, None, top : top + crop, left : left + crop].float()
            small = F.interpolate(masks, size=self.map_grid, mode="bilinear", align_corners=False, antialias=False)
            samples = replace(samples, masks=small[:, 0].round().to(torch.uint8))
        if samples.parts is not None:
            x, y, visible = samples.parts.unbind(2)
            x, y = x - left, y - top
            within = (visible > 0) & (x >= 0) & (x < crop) & (y >= 0) & (y < crop)
            scale = self.map_grid[0] / crop
            samples = replace(samples, parts=torch.stack([x * scale, y * scale, within.to(x.dtype)], 2))
        return samples


class ResnetModel(OfPixels):
    """A ResNet with a linear head: the baseline, and the dense model of its QPM.

    Args:
        config: depth, crop and width.
        n_classes: number of classes.
        grid: pixels per column and per row of the bank's images.
        init: draws the initial weights; None leaves them unset, to be loaded.
    """

    kind: ClassVar[str] = "resnet"
    head: nn.Linear

    def __init__(
        self, config: ResnetShape, n_classes: int, grid: tuple[int, int], init: torch.Generator | None = None
    ) -> None:
        adapter: Any = PixelAdapter(config, init)
        super().__init__(adapter, linear(config.width, n_classes, init), grid)

    @classmethod
    def blank(cls, config: Any, dim: int, n_classes: int, grid: tuple[int, int]) -> Self:
        """A model of the right shape whose weights are still to be loaded."""
        return cls(config, n_classes, grid)


class ResnetQpm(OfPixels, QpmModel):
    """A ResNet behind a fixed binary head: ResNet50 QPM."""

    kind: ClassVar[str] = "resnet_qpm"

    @classmethod
    def blank(cls, config: Any, dim: int, n_classes: int, grid: tuple[int, int]) -> Self:
        """A model of the right shape whose weights are still to be loaded."""
        adapter: Any = PixelAdapter(config)
        return cls(adapter, n_classes, grid)
