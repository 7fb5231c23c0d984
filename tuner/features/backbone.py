"""The interface of a frozen backbone: uint8 images in, patch tokens and perhaps a CLS token out."""

from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from tuner.base.untrusted import read_tensors
from tuner.renamed import renamed_names

Tokens = tuple[Tensor, Tensor | None]


class Backbone(Protocol):
    """A frozen network. Creating it is cheap; `load` reads the weights and moves them to the device.

    Attributes:
        image_size: side of the square input, pixels.
        grid: tokens per column and per row.
        dim: width of a token.
        has_cls: whether there is a CLS token.

    One with pre-trained weights may have `licence`, theirs: an SPDX identifier or a name; see `licence_of`. One whose
    network is another package's may have `package`, its name on the package index; see `versions_of`.
    """

    image_size: int
    grid: tuple[int, int]
    dim: int
    has_cls: bool

    def key_material(self) -> dict[str, Any]:
        """Everything besides the pixels that determines the tokens, as JSON; weights by their SHA-256.

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
    """Base of backbones that learn nothing from the data set."""

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


def licence_of(backbone: Backbone) -> str | None:
    """The licence of the weights, `unknown` where their source names none; None where the backbone says nothing of it.

    Backbones without pre-trained weights have nothing to say.
    """
    licence: str | None = getattr(backbone, "licence", None)
    return licence


def versions_of(backbone: Backbone) -> dict[str, str]:
    """The versions of the packages whose code computes the tokens: torch, and the one that has the network, if any."""
    package: str | None = getattr(backbone, "package", None)
    found = {"torch": str(torch.__version__)}  # a plain text: torch's own type brings torch along where it is unpickled
    with suppress(PackageNotFoundError):  # of no use to this process, and `load` refuses what needs it
        found |= {} if package is None else {package: version(package)}
    return found


def load_fitted(backbone: Backbone, file: Path) -> None:
    """Gives a loaded backbone what it learned on a data set.

    Raises:
        MalformedError: the file holds something else.
    """
    expected = {name: ("F32", shape) for name, shape in backbone.state_shapes().items()}
    backbone.load_state({name: torch.from_numpy(values) for name, values in read_tensors(file, expected).items()})


__getattr__ = renamed_names(__name__, {"make_backbone": "tuner.features.registry.make_backbone"})
