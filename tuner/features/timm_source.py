"""What is told with the weights of a timm network: architecture, preprocessing, licence; checked before it is used."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuner.base.untrusted import require, shown, unsound
from tuner.features.licences import LONGEST, UNKNOWN
from tuner.features.resize import FILTERS

LARGEST = 4096  # side of an image, pixels

# What config.json may say of a network's construction; timm takes more, some of it names of files.
_ARGUMENTS = frozenset(
    {
        "class_token",
        "depth",
        "depths",
        "dims",
        "dynamic_img_size",
        "embed_dim",
        "fc_norm",
        "final_norm",
        "global_pool",
        "img_size",
        "in_chans",
        "init_values",
        "mlp_ratio",
        "no_embed_class",
        "num_heads",
        "patch_size",
        "pos_embed",
        "pre_norm",
        "qk_norm",
        "qkv_bias",
        "reg_tokens",
        "use_fc_norm",
        "window_size",
    }
)

# What is taken of a description of weights; the rest says where to fetch them, or is for classifiers.
_TOLD = frozenset(
    {
        "architecture",
        "tag",
        "input_size",
        "fixed_input_size",
        "interpolation",
        "crop_pct",
        "mean",
        "std",
        "num_classes",
        "pool_size",
        "first_conv",
        "classifier",
        "label_offset",
    }
)


@dataclass(frozen=True)
class Preprocessing:
    """How pixels enter a network, as timm's `resolve_data_config` says.

    Attributes:
        size: usual side of the square input, pixels.
        mean: of each channel of RGB / 255.
        std: likewise.
        share: side of the centre crop, as a share of the short side ("crop_pct").
        filter: of resizing, one of `tuner.features.resize.FILTERS`.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    share: float
    filter: str


@dataclass(frozen=True)
class Source:
    """Weights and what is told with them.

    Attributes:
        architecture: timm's name of the network, without a tag.
        file: the weights.
        told: timm's description of the weights ("pretrained_cfg").
        preprocessing: how pixels enter.
        licence: of the weights, as `told` names it, or `UNKNOWN`.
        arguments: for the network's construction, beyond the architecture.
    """

    architecture: str
    file: Path
    told: Mapping[str, Any]
    preprocessing: Preprocessing
    licence: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def source_of(told: Mapping[str, Any], file: Path, arguments: Mapping[str, Any]) -> Source:
    """Weights in a file, with what timm or a config.json tells of them.

    Raises:
        MalformedError: what is told cannot be.
    """
    licence = told.get("license")
    named = isinstance(licence, str) and licence.strip() and len(licence) <= LONGEST
    told = {name: value for name, value in told.items() if name in _TOLD}
    licence = shown(licence, LONGEST) if named else UNKNOWN
    return Source(told["architecture"], file, told, _preprocessing(told, file), licence, dict(arguments))


def arguments_in(written: object, where: Path) -> dict[str, Any]:
    """The arguments of a network's construction in a config.json.

    Raises:
        MalformedError: they are odd, or more than the shape of a network.
    """
    sound = isinstance(written, dict) and all(_is_plain(value) for value in written.values())
    if not isinstance(written, dict) or not sound:
        raise unsound(where, f"its model_args are {shown(written)}", "numbers, texts and switches by name")
    if odd := sorted(map(str, written.keys() - _ARGUMENTS)):
        raise unsound(where, f"its model_args set {shown(odd[0])}", f"only {', '.join(sorted(_ARGUMENTS))}")
    return dict(written)


def _preprocessing(told: Mapping[str, Any], file: Path) -> Preprocessing:
    from timm.data import resolve_data_config

    data = resolve_data_config(pretrained_cfg=dict(told))
    size, mean, std = (
        tuple(value) if isinstance(value := data[name], list | tuple) else () for name in ("input_size", "mean", "std")
    )
    where = f"what is told of {file}"
    square = len(size) == 3 and size[0] == 3 and size[1] == size[2] and type(size[1]) is int
    require(square and 1 <= size[1] <= LARGEST, where, f"its input_size is {shown(size)}", "a square of three colours")
    for name, values in (("mean", mean), ("std", std)):
        sound = len(values) == 3 and all(isinstance(v, int | float) and math.isfinite(v) for v in values)
        require(sound and (name == "mean" or min(values) > 0), where, f"its {name} is {shown(values)}", "three numbers")
    share, how = data["crop_pct"], data["interpolation"]
    how = "bicubic" if how == "random" else how
    require(isinstance(share, int | float) and 0 < share <= 2, where, f"its crop_pct is {shown(share)}", "a share")
    require(how in FILTERS, where, f"its interpolation is {shown(how)}", f"one of {', '.join(FILTERS)}")
    return Preprocessing(size[1], tuple(map(float, mean)), tuple(map(float, std)), min(1.0, float(share)), how)


def _is_plain(value: object) -> bool:
    """Whether a JSON value is a short text, a number, a switch, or a short list of numbers."""
    if isinstance(value, list):
        return len(value) <= 64 and all(isinstance(item, int | float) for item in value)
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 64)
