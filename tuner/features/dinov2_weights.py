"""Locates DINOv2's weights: a folder in the hub's layout, a hub name, or one of Meta's checkpoints.

The result is a folder with config.json and safetensors files; a .pth file is converted into one, once.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from tuner.base.folders import cache_root
from tuner.base.untrusted import is_whole, read_json, shown
from tuner.data.fingerprint import Hasher
from tuner.errors import TunerError
from tuner.features import hub

DEFAULT = "facebook/dinov2-with-registers-base"
KINDS = ("dinov2", "dinov2_with_registers")
HEAD_DIM = 64  # of every published DINOv2
TODO = (
    f"with internet, set backbone.weights={DEFAULT} (needs sh requirements/install.sh python full); without, "
    "copy that repository's config.json and model.safetensors into a folder, or dinov2_vitb14_reg4_pretrain.pth from "
    "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/, and set backbone.weights to its path"
)

# Meta's names to the hub's; qkv is split separately
RENAMES = (
    (r"^pos_embed$", "embeddings.position_embeddings"),
    (r"^(cls_token|mask_token|register_tokens)$", r"embeddings.\1"),
    (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"^blocks\.(\d+)\.attn\.proj\.", r"encoder.layer.\1.attention.output.dense."),
    (r"^blocks\.(\d+)\.ls([12])\.gamma$", r"encoder.layer.\1.layer_scale\2.lambda1"),
    (r"^blocks\.(\d+)\.mlp\.w12\.", r"encoder.layer.\1.mlp.weights_in."),
    (r"^blocks\.(\d+)\.mlp\.w3\.", r"encoder.layer.\1.mlp.weights_out."),
    (r"^blocks\.(\d+)\.(norm1|norm2|mlp\.fc1|mlp\.fc2)\.", r"encoder.layer.\1.\2."),
    (r"^norm\.", "layernorm."),
)

# what config.json may say of a network's shape, and the largest sizes that are believed
SHAPING = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "mlp_ratio", "hidden_act", "layer_norm_eps"),
    *("image_size", "patch_size", "num_channels", "qkv_bias", "layerscale_value", "use_swiglu_ffn"),
    "num_register_tokens",
)
SIZES = {"hidden_size": 16_384, "num_hidden_layers": 256, "patch_size": 1024, "num_register_tokens": 1024}
QKV = re.compile(r"^blocks\.(\d+)\.attn\.qkv\.(weight|bias)$")


def hub_folder(weights: str, *, offline: bool = False) -> Path:
    """The local folder with config.json and safetensors for what a recipe names.

    Args:
        weights: a folder, a .pth of Meta, a hub name, or empty for the default hub name.
        offline: of the hub, take only what this machine already has.

    Raises:
        TunerError: it is missing, cannot be downloaded, or is no DINOv2.
    """
    path = Path(weights)
    if weights and path.is_file():
        folder = _converted(path)
    elif weights and path.is_dir():
        folder = path
    else:
        wanted = ("config.json", "*.safetensors")
        folder = hub.downloaded(weights or DEFAULT, wanted, "DINOv2 weights", TODO, offline=offline)
    config = folder / "config.json"
    kind = read_json(config).get("model_type") if config.is_file() else None
    if kind not in KINDS or not any(folder.glob("*.safetensors")):
        raise TunerError(
            f"{folder} holds no DINOv2 weights", f"config.json of a {' or '.join(KINDS)} and *.safetensors", TODO
        )
    return folder


def architecture(folder: Path) -> dict[str, Any]:
    """The content of a folder's config.json, whose sizes are those of a network.

    Raises:
        TunerError: they are not.
    """
    file = folder / "config.json"
    found = read_json(file)
    for name, most in SIZES.items():
        value = found.get(name, 0 if name == "num_register_tokens" else None)
        if not is_whole(value, 0 if name == "num_register_tokens" else 1, most):
            raise TunerError(f"{file} says {name}={shown(value)}", f"a whole number, at most {most}", TODO)
    return found


def package(name: str) -> Any:
    """An optional package.

    Raises:
        TunerError: it is not installed.
    """
    return hub.package(name, TODO)


def _converted(file: Path) -> Path:
    """The cached conversion of Meta's checkpoint, made once for each content."""
    folder = cache_root() / "dinov2" / Hasher().digest(file)
    if (folder / "config.json").is_file():
        return folder
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        tensors, config = convert(state)
    except Exception as error:  # torch.load raises a dozen types for a damaged or foreign file
        raise TunerError(f"{file} is no DINOv2 checkpoint of Meta: {error!r}", "a state dictionary", TODO) from error
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
            whole = Path(draft) / "whole"
            whole.mkdir()
            (whole / "model.safetensors").write_bytes(safetensors.torch.save(tensors, {"format": "pt"}))
            (whole / "config.json").write_text(json.dumps(config, indent=1))
            if not folder.is_dir():
                whole.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was faster
            raise TunerError(
                f"the conversion of {file} cannot be written to {folder}: {error}",
                "a writable cache with enough space",
                "make room, or set QPM_TUNER_CACHE",
            ) from error
    return folder


def convert(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Translates Meta's state dictionary to the hub's names; the architecture is read off the shapes.

    Args:
        state: tensors by Meta's names.

    Returns:
        tensors by the hub's names, and the content of config.json.

    Raises:
        KeyError, ValueError: it is no DINOv2.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        if match := QKV.match(name):
            layer, kind = match.groups()
            for part, piece in zip(("query", "key", "value"), value.float().chunk(3), strict=True):
                tensors[f"encoder.layer.{layer}.attention.attention.{part}.{kind}"] = piece.contiguous()
            continue
        renamed = next((re.sub(a, b, name) for a, b in RENAMES if re.search(a, name)), None)
        if renamed is None:
            raise ValueError(f"unknown tensor {name}")
        tensors[renamed] = value.float().contiguous()
    dim, _, patch, _ = tensors["embeddings.patch_embeddings.projection.weight"].shape
    side = round((tensors["embeddings.position_embeddings"].shape[1] - 1) ** 0.5)
    registers = tensors.get("embeddings.register_tokens")
    config: dict[str, Any] = {
        "model_type": KINDS[0] if registers is None else KINDS[1],
        "hidden_size": dim,
        "num_hidden_layers": sum(name.endswith("norm1.weight") for name in tensors),
        "num_attention_heads": dim // HEAD_DIM,
        "patch_size": patch,
        "image_size": side * patch,
        "use_swiglu_ffn": any("weights_in" in name for name in tensors),
    }
    if registers is not None:
        config["num_register_tokens"] = registers.shape[1]
    return tensors, config
