"""What a driver needs to know of a backbone, as plain values: the network, and torch, stay in the workers."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.features.backbone import Backbone


@dataclass(frozen=True)
class BackboneFacts:
    """Facts about a backbone; its weights need not be loaded for them.

    Attributes:
        material: everything besides the pixels that determines the tokens (`Backbone.key_material`).
        image_size: side of the square input, pixels.
        grid: tokens per column and per row.
        dim: width of a token.
        has_cls: whether there is a CLS token.
        needs_fit: whether it learns from the training images.
        versions: of the packages whose code computes the tokens, by name.
        licence: of the weights, an SPDX id or a name; None where unknown.
    """

    material: dict[str, Any]
    image_size: int
    grid: tuple[int, int]
    dim: int
    has_cls: bool
    needs_fit: bool
    versions: dict[str, str]
    licence: str | None = None

    @classmethod
    def of(cls, network: "Backbone") -> "BackboneFacts":
        """Of a network that need not be loaded.

        Raises:
            TunerError: the weights are missing.
        """
        from tuner.features.backbone import licence_of, versions_of

        licence = licence_of(network)
        size, grid = network.image_size, (int(network.grid[0]), int(network.grid[1]))
        material = json.loads(json.dumps(network.key_material()))  # what a bank says of it when it is read again
        about = (network.dim, network.has_cls, network.needs_fit(), versions_of(network))
        return cls(material, size, grid, *about, licence)
