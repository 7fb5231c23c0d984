"""What a frozen backbone is: squashed uint8 images in, a grid of patch tokens (and perhaps a CLS token) out."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from tuner.base.folders import at_home
from tuner.base.untrusted import read_tensors
from tuner.errors import UsageError
from tuner.features.settings import BackboneConfig

Tokens = tuple[Tensor, Tensor | None]


class Backbone(Protocol):
    """A frozen network. It is cheap to make; `load` brings in weights and device.

    Attributes:
        image_size: side of the square input, pixels.
        grid: tokens per column and per row.
        dim: width of a token.
        has_cls: whether there is a CLS token.
    """

    image_size: int
    grid: tuple[int, int]
    dim: int
    has_cls: bool

    def key_material(self) -> dict[str, Any]:
        """All that shapes the tokens besides the pixels, as JSON; weights by their SHA-256.

        Raises:
            TunerError: the weights are missing.
        """
        ...

    def load(self, device: torch.device) -> None:
        """Brings the network to `device`.

        Raises:
            TunerError: the weights are missing or do not fit; the message says where to get and put them.
        """
        ...

    def fit(self, images: Iterable[Tensor]) -> None:
        """Learns what is not pre-trained, from batches (n, 3, size, size) uint8 of training images alone."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What `fit` learned; empty before, and for pre-trained networks."""
        ...

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes `state` instead of fitting."""
        ...

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor of a state, all of them float32; empty for pre-trained networks."""
        ...

    def needs_fit(self) -> bool:
        """Whether `fit` is to be called before `tokens`."""
        ...

    def tokens(self, images: Tensor) -> Tokens:
        """Patch tokens (n, n_patches, dim), row-major, and CLS tokens (n, dim) or None, both float32.

        Args:
            images: (n, 3, size, size) uint8 RGB on the backbone's device.
        """
        ...


class Pretrained:
    """What backbones share that learn nothing from the data set."""

    def fit(self, images: Iterable[Tensor]) -> None:
        """Nothing to learn."""

    def state(self) -> dict[str, Tensor]:
        """Nothing was learned."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Nothing to take."""

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Nothing."""
        return {}

    def needs_fit(self) -> bool:
        """Never."""
        return False


def load_fitted(backbone: Backbone, file: Path) -> None:
    """Gives a loaded backbone what it learned on a data set.

    Raises:
        Unsound: the file holds something else.
    """
    expected = {name: ("F32", shape) for name, shape in backbone.state_shapes().items()}
    backbone.load_state({name: torch.from_numpy(values) for name, values in read_tensors(file, expected).items()})


def make_backbone(config: BackboneConfig, data_name: str, *, offline: bool = False) -> Backbone:
    """The backbone a recipe names, not yet loaded.

    Args:
        config: the recipe's backbone settings.
        data_name: the data set's name, for published pixel statistics (`preprocessing: parity`).
        offline: take weights from this machine only, whatever the settings name.

    Raises:
        UsageError: settings that do not fit the backbone.
        TunerError: its weights or its optional package are missing.
    """

    def patch_dictionary() -> Backbone:
        from tuner.features.patch_dictionary import PatchDictionary

        return PatchDictionary(config)

    def efficientnet_lite2() -> Backbone:
        from tuner.features.efficientnet import EfficientNetLite2

        return EfficientNetLite2(config)

    def dinov2() -> Backbone:
        from tuner.features.dinov2 import Dinov2

        return Dinov2(config, data_name, offline=offline)

    makers: dict[str, Callable[[], Backbone]] = {
        "patch_dictionary": patch_dictionary,
        "efficientnet_lite2": efficientnet_lite2,
        "dinov2": dinov2,
    }
    config = replace(config, weights=at_home(config.weights, "backbone.weights"))
    if config.name not in makers:
        raise UsageError(f"backbone.name={config.name}", ", ".join(makers), "choose one of them")
    if config.preprocessing == "parity" and config.name != "dinov2":
        raise UsageError(
            f"backbone.preprocessing=parity with backbone.name={config.name}",
            "standard: parity is the published treatment of DINOv2's input",
            "set backbone.preprocessing=standard",
        )
    return makers[config.name]()
