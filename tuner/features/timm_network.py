"""Builds a timm network, reads weights into it, and takes tokens out of it.

Which token is a CLS, which are registers and where the grid lies, each network says itself: see `tokens_of`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tuner.data.words import count
from tuner.errors import TunerError, UsageError
from tuner.features.backbone import Tokens
from tuner.features.timm_package import timm
from tuner.features.timm_source import Source
from tuner.features.weight_files import read_weights

MOST_NAMED = 3  # tensors in an error
TODO = "set backbone.model to the architecture of these weights, or backbone.weights to weights of this architecture"
_NESTED = ("state_dict", "model", "teacher")  # where training scripts keep a network's tensors in a checkpoint


@dataclass(frozen=True)
class Shape:
    """What a network makes of one image.

    Attributes:
        grid: tokens per column and per row.
        dim: width of a token.
        has_cls: whether there is a CLS token.
    """

    grid: tuple[int, int]
    dim: int
    has_cls: bool


def build(source: Source, size: int, **options: Any) -> nn.Module:
    """The network for square images of `size` pixels; weights are random unless `options` bring some.

    A transformer is built for its size, so that its position embeddings are resampled as its weights are read. Networks
    that take any size have no such argument.
    """
    arguments = {name: value for name, value in source.arguments.items() if name != "img_size"}
    if size != source.preprocessing.size or "img_size" in source.arguments:
        arguments["img_size"] = size
    create: Callable[..., nn.Module] = timm().create_model
    described = dict(source.told)
    try:
        return create(source.architecture, pretrained_cfg=described, **arguments, **options).eval()
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        del arguments["img_size"]
        return create(source.architecture, pretrained_cfg=described, **arguments, **options).eval()


def shape_of(source: Source, size: int, layer: int, norm: bool) -> Shape:
    """Grid and width of the tokens, found without weights or memory, on torch's device `meta`.

    Args:
        source: of the network.
        size: side of the images, pixels.
        layer: see `tokens_of`.
        norm: see `tokens_of`.

    Raises:
        UsageError: the network cannot take images of this size, or has no such layer, or no tokens on a grid.
    """
    own, setting = source.preprocessing.size, f"backbone.image_size={size}"
    try:
        with torch.device("meta"):
            network = build(source, size, num_classes=0)
            images = torch.zeros(1, 3, size, size)
        _require_divisible(network, size)
        _require_layer(network, layer)
        with torch.inference_mode():
            maps, cls = tokens_of(network, images, layer=layer, norm=norm)
    except UsageError:
        raise
    except Exception as error:  # networks refuse sizes by errors of many types, or by failing somewhere inside
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if norm and "norm" in reason:
            raise UsageError(
                f"backbone.norm=true with {source.architecture}: {reason}",
                "tokens as its layers leave them",
                "set it to false",
            ) from error
        expected, todo = f"a size that {source.architecture} takes, such as its own, {own}", "set backbone.image_size=0"
        raise UsageError(f"{setting} with {source.architecture}: {reason}", expected, todo) from error
    if maps.shape[2] != maps.shape[3]:
        raise UsageError(f"{setting}: tokens on {tuple(maps.shape[2:])}", "a square grid", "choose another network")
    return Shape((maps.shape[2], maps.shape[3]), maps.shape[1], cls is not None)


def load(source: Source, size: int) -> nn.Module:
    """The network with its weights, on the CPU, for inference.

    Raises:
        TunerError: the file cannot be read, or its tensors are those of another network; the first of them are named.
    """
    state = _unwrapped(read_weights(source.file, TODO, _NESTED))
    n_classes = _classes_in(state, source.told)
    tries = (
        [n_classes] if n_classes is not None else sorted({int(source.told.get("num_classes") or 0), 0}, reverse=True)
    )
    for n in tries:
        told = {"state_dict": dict(state), "num_classes": n, "label_offset": 0, "source": "", "custom_load": False}
        try:
            network = build(source, size, pretrained=True, pretrained_cfg_overlay=told, num_classes=n)
        except Exception as error:  # timm's readers of foreign checkpoints fail in many ways on a wrong one
            failed = error
            continue
        for described in (network.pretrained_cfg, network.default_cfg):
            described.pop("state_dict", None)  # type: ignore[operator, union-attr]  # else the weights stay twice in memory
        return network.requires_grad_(False)
    raise _misfit(source, state, build(source, size, num_classes=tries[0]).state_dict(), failed)


def tokens_of(network: nn.Module, images: Tensor, *, layer: int, norm: bool) -> Tokens:
    """The network's tokens on their grid, and its CLS token where it has one.

    Of a network whose features are maps, the last layer is its final map, such as EfficientNet's after the last
    convolution. Registers and other prefix tokens are left out: the network itself tells how many there are.

    Args:
        network: built by `build`.
        images: (n, 3, size, size), normalised.
        layer: -1 is the last block (of networks with maps: stage), -2 the one before it.
        norm: whether the final normalisation is applied.

    Returns:
        (n, dim, grid_h, grid_w), and (n, dim) or None.
    """
    if layer == -1 and norm:
        maps = network.forward_features(images)  # type: ignore[operator]
        if isinstance(maps, Tensor) and maps.ndim == 4:
            return maps.movedim(-1, 1) if str(getattr(network, "output_fmt", "NCHW")) == "NHWC" else maps, None
    run = network.forward_intermediates
    wanted = {"norm": norm, "return_prefix_tokens": True, "stop_early": True}
    taken = inspect.signature(run).parameters  # type: ignore[arg-type]
    options = {name: value for name, value in wanted.items() if name in taken}
    (found,) = run(images, indices=[layer], output_fmt="NCHW", intermediates_only=True, **options)  # type: ignore[operator]
    if isinstance(found, Tensor):
        return found, None
    maps, prefix = found
    return maps, prefix[:, 0] if _has_class_token(network) and prefix is not None and prefix.shape[1] else None


def _has_class_token(network: nn.Module) -> bool:
    """Whether the first of its prefix tokens is a CLS token."""
    told = getattr(network, "has_class_token", None)
    return getattr(network, "cls_token", None) is not None if told is None else bool(told)


def _require_divisible(network: nn.Module, size: int) -> None:
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", None)
    if isinstance(patch, int):
        patch = (patch, patch)
    if patch and size % patch[0]:
        nearest = max(1, round(size / patch[0])) * patch[0]
        raise UsageError(f"backbone.image_size={size}", f"a multiple of {patch[0]}", f"set it to {nearest}")


def _require_layer(network: nn.Module, layer: int) -> None:
    n = len(getattr(network, "feature_info", ()))
    if n and -layer > n:
        raise UsageError(f"backbone.layer={layer}", f"-1 (the last) to -{n} (the first)", "choose an existing block")


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefixes that wrappers for training add to every name."""
    cleaned: dict[str, Tensor] = timm().models.clean_state_dict(state)
    if cleaned and all(name.startswith("backbone.") for name in cleaned if not name.startswith("head.")):
        return {
            name.removeprefix("backbone."): value for name, value in cleaned.items() if name.startswith("backbone.")
        }
    return cleaned


def _classes_in(state: Mapping[str, Tensor], told: Mapping[str, Any]) -> int | None:
    """The number of classes of the classifier in these tensors; None if there is none under its usual name."""
    names = told.get("classifier")
    for name in (names,) if isinstance(names, str) else names or ():
        if f"{name}.weight" in state:
            return int(state[f"{name}.weight"].shape[0])
    return None


def _misfit(source: Source, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], error: Exception) -> TunerError:
    """The error for tensors of another network: how many differ, and the first of them with their shapes."""
    heads = source.told.get("classifier") or ()
    ignored = tuple(f"{name}." for name in ((heads,) if isinstance(heads, str) else heads))
    differ = []
    for name in dict.fromkeys([*wanted, *state]):
        has, needs = state.get(name), wanted.get(name)
        if (has is None or needs is None or has.shape != needs.shape) and not name.startswith(ignored or ("\0",)):
            differ.append(f"{name} is {_shape(has)} instead of {_shape(needs)}")
    reason = "; ".join(differ[:MOST_NAMED]) or " ".join(str(error).split())[:300]
    n = count(len(differ), "tensor differs", "tensors differ") if differ else "it cannot be read"
    more = "; ..." if len(differ) > MOST_NAMED else ""
    found = TunerError(
        f"{source.file} does not hold the weights of {source.architecture}: {n}: {reason}{more}",
        f"the tensors of {source.architecture}, by timm's names or those of its authors",
        TODO,
    )
    found.__cause__ = error
    return found


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else str(tuple(tensor.shape))
