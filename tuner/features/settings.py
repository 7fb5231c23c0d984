"""Settings of the frozen backbones: everything that shapes the tokens, hence the feature bank's key.

Each backbone has a dataclass of its own. A recipe holds one: `BackboneConfig` for any of the built-in backbones, so that
a recipe reads the same whichever of them it names, and the class given to `register_backbone` for another one.
"""

from dataclasses import dataclass

from tuner.base.settings import setting
from tuner.features.kinds import BACKBONES

GEOMETRIES = ("squash", "crop")  # see geometry.py, which imports torch; this file does not
KEPT = ("all", "quarter", "pooled")  # see kept.py
TOKEN_TYPES = ("float16", "int8", "float8")  # see packing.py
SCALE_BYTES = 4  # of a token that is not float16


@dataclass
class BackboneSettings:
    """What all backbones have: which network turns images into tokens, and how images enter it."""

    name: str = setting("patch_dictionary", "backbone", choices=BACKBONES)
    weights: str = setting(
        "",
        "local file (.safetensors, .pth) or folder, hub name, or timm's name of them; empty: the backbone's usual source",
    )
    image_size: int = setting(0, "side of the square input, pixels; 0: the backbone's usual size", low=0, unit="pixels")
    preprocessing: str = setting(
        "standard",
        "how pixels are scaled before the network",
        choices=("parity", "standard"),
    )
    geometry: str = setting(
        "squash",
        "which part of an image enters the network: squash: all of it, its proportions changed; crop: the middle square"
        " that is left of a short side of 256 by a crop of 224",
        choices=GEOMETRIES,
    )
    keep: str = setting(
        "all",
        "which patch tokens a bank keeps: all; quarter: the mean of each 2 x 2 neighbours; pooled: the mean of all, for"
        " linear probes",
        choices=KEPT,
    )
    dtype: str = setting(
        "float16",
        "how a bank stores patch tokens: float16; int8 or float8 (e4m3): about half the bytes, with a scale a token",
        choices=TOKEN_TYPES,
    )
    batch_size: int = setting(
        32, "images loaded at a time (a GPU takes at least 256); does not enter the key", low=1, unit="images"
    )


@dataclass
class LayerSettings(BackboneSettings):
    """Of networks whose tokens may be those of an earlier layer."""

    layer: int = setting(
        -1, "block (of a convolutional network: stage) whose output is used; -1 is the last", low=-64, high=-1
    )
    norm: bool = setting(True, "apply the final normalisation to the tokens")


@dataclass
class Dinov2Settings(LayerSettings):
    """Of DINOv2."""

    position_antialias: bool = setting(False, "antialias when position embeddings are resized")
    position_offset: float = setting(
        0.1, "offset added to the grid size when position embeddings are resized; 0: none", low=0.0, high=0.9
    )


@dataclass
class TimmSettings(LayerSettings):
    """Of any network of the library timm."""

    model: str = setting(
        "",
        "timm: architecture, with timm's tag of the weights where their preprocessing is meant; empty: as `weights` says",
    )


@dataclass
class PatchDictionarySettings(BackboneSettings):
    """Of the dictionary of whitened patches."""

    n_atoms: int = setting(128, "patch_dictionary: number of atoms, the width of a token", low=2)
    patch_size: int = setting(8, "patch_dictionary: side of a patch, pixels", low=2, unit="pixels")
    grid: int = setting(8, "patch_dictionary: tokens per side", low=2)
    seed: int = setting(0, "patch_dictionary: seed of k-means", low=0)


@dataclass
class PixelsSettings(BackboneSettings):
    """Of the pixels for networks that are trained end to end."""

    depth: int = setting(50, "pixels: layers of the ResNet", choices=(18, 34, 50))


@dataclass
class BackboneConfig(PixelsSettings, PatchDictionarySettings, TimmSettings, Dinov2Settings):
    """Of any built-in backbone; each reads its own."""
