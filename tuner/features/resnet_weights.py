"""Locates the initial weights of a ResNet: a local file, a folder or a name of the hub.

Names of torchvision and timm are translated to those of `transformers`, whose network is used.
"""

import re
from pathlib import Path

import torch
from torch import Tensor

from tuner.base.untrusted import read_tensors
from tuner.data.fingerprint import Hasher
from tuner.errors import TunerError, UsageError
from tuner.features import hub
from tuner.features.bank import FITTED, FeatureBank
from tuner.features.resnet_network import build_network, network_shapes
from tuner.features.resnet_sizes import PIXELS, WIDTHS
from tuner.features.weight_files import read_weights

NONE = "none"
DEFAULTS = {depth: f"microsoft/resnet-{depth}" for depth in (18, 34, 50)}
PUBLISHED_LICENCE = "apache-2.0"  # of these repositories
TODO = (
    "set resnet.weights to a .safetensors or .pth file of torchvision, timm or transformers, to a folder with "
    "model.safetensors, or to `none` to train from random weights; with internet leave it empty"
)
RENAMES = (
    (r"^resnet\.", ""),
    (r"^conv1\.", "embedder.embedder.convolution."),
    (r"^bn1\.", "embedder.embedder.normalization."),
    (r"\.downsample\.0\.", ".shortcut.convolution."),
    (r"\.downsample\.1\.", ".shortcut.normalization."),
)
BLOCK = re.compile(r"^layer([1-4])\.(\d+)\.")
PART = re.compile(r"\.(conv|bn)([123])\.")
UNUSED = re.compile(r"^(fc|classifier)\.|num_batches_tracked$")


def weights_file(weights: str, depth: int, *, offline: bool = False) -> Path | None:
    """The file of the initial weights; None for random ones.

    Args:
        weights: a file, a folder, a name of the hub, `none`, or empty for the usual name of the hub.
        depth: layers of the network.
        offline: take the hub's files from this machine only.

    Raises:
        TunerError: there is none.
    """
    if weights == NONE:
        return None
    path = Path(weights)
    if weights and path.is_file():
        return path
    if not (weights and path.is_dir()):
        name = weights or DEFAULTS[depth]
        what, field = "ImageNet weights of a ResNet", "resnet.weights"
        path = hub.downloaded(name, ["model.safetensors"], what, TODO, offline=offline, field=field)
    if not (path / "model.safetensors").is_file():
        raise TunerError(f"{path} holds no model.safetensors", "ImageNet weights of a ResNet", TODO)
    return path / "model.safetensors"


def weights_digest(weights: str, depth: int, *, offline: bool = False) -> str:
    """SHA-256 of the initial weights' file; `none` for random ones."""
    file = weights_file(weights, depth, offline=offline)
    return NONE if file is None else Hasher().digest(file)


def initial_weights(weights: str, depth: int, *, offline: bool = False) -> dict[str, Tensor]:
    """The initial weights by the names of `build_network`, float32.

    Random ones are drawn with a fixed seed, since they are part of the feature bank, not of a run.

    Raises:
        TunerError: they are missing, damaged, or of another network.
    """
    expected = network_shapes(depth)
    file = weights_file(weights, depth, offline=offline)
    if file is None:
        state = build_network(depth, torch.Generator().manual_seed(0)).state_dict()
        return {name: state[name] for name in expected}
    found = {renamed(name): value for name, value in read_weights(file, TODO).items() if not UNUSED.search(name)}
    wrong = [name for name in expected if name not in found or tuple(found[name].shape) != expected[name]]
    if wrong := [*wrong, *(name for name in found if name not in expected)]:
        raise UsageError(
            f"{file} does not hold a ResNet of {depth} layers: {_differ(len(wrong))}, such as {wrong[0]}",
            f"convolutions and batch norms of a ResNet-{depth}",
            "set resnet.depth to the layers of this file, or take another file",
        )
    return found


def weights_of_bank(bank: FeatureBank) -> tuple[int, dict[str, Tensor]]:
    """Depth and initial weights of the ResNet in a bank of pixels.

    Raises:
        UsageError: it is a bank of another backbone.
        MalformedError: the weights are damaged.
    """
    about = bank.backbone or {}
    depth = about.get("depth")
    if about.get("name") != PIXELS or not isinstance(depth, int) or depth not in WIDTHS:
        raise UsageError(
            f"a ResNet on the tokens of {about.get('name', 'an unknown backbone')}",
            f"a feature bank of the backbone {PIXELS}",
            f"set backbone.name={PIXELS}",
        )
    expected = {name: ("F32", shape) for name, shape in network_shapes(depth).items()}
    found = read_tensors(bank.folder / FITTED, expected)
    return depth, {name: torch.from_numpy(values) for name, values in found.items()}


def renamed(name: str) -> str:
    """A name of torchvision or timm as `build_network` has it; its own names stay."""
    for pattern, new in RENAMES:
        name = re.sub(pattern, new, name)
    block = BLOCK.match(name)
    if block is None:
        return name
    inner = name[block.end() - 1 :]
    kinds = {"conv": "convolution", "bn": "normalization"}
    inner = PART.sub(lambda part: f".layer.{int(part[2]) - 1}.{kinds[part[1]]}.", inner)
    return f"encoder.stages.{int(block[1]) - 1}.layers.{block[2]}{inner}"


def _differ(n: int) -> str:
    return "1 tensor differs" if n == 1 else f"{n} tensors differ"
