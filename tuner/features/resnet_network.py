"""ResNet with fine maps: stride 1 in the last two stages (docs/explanation/method.md#resnet).

The network is that of `transformers`; built without weights, so that nothing is drawn from a global generator.
"""

from typing import Any

import torch
from torch import Tensor, nn

from tuner.features.hub import package
from tuner.features.resnet_sizes import BLOCKS, WIDTHS

TODO = "sh requirements/install.sh python full"


def build_network(depth: int, init: torch.Generator | None = None) -> nn.Module:
    """The network, from pixels (n, 3, height, width) to final maps after ReLU, (n, width, height / 8, width / 8).

    Args:
        depth: 18, 34 or 50 layers.
        init: draws weights as He et al. 2015 (fan out); None leaves them unset, to be loaded.

    Raises:
        TunerError: the package `transformers` is missing.
    """
    models = package("transformers", TODO)
    kind = "bottleneck" if depth >= 50 else "basic"
    config = models.ResNetConfig(
        embedding_size=64, hidden_sizes=list(WIDTHS[depth]), depths=list(BLOCKS[depth]), layer_type=kind
    )
    device = torch.get_default_device()
    with torch.device("meta"):
        network = models.ResNetModel(config)
    for stage in network.encoder.stages[2:]:
        for layer in stage.layers[0].modules():
            if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
                layer.stride = (1, 1)
    network = FinalMaps(network.embedder, network.encoder)
    if device.type != "meta":
        network.to_empty(device=device)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
            elif isinstance(module, nn.Conv2d) and init is not None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=init)
    return network


class FinalMaps(nn.Module):
    """Stem and stages, without pooling and classifier.

    Args:
        embedder: the stem.
        encoder: the stages.
    """

    def __init__(self, embedder: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        self.embedder, self.encoder = embedder, encoder

    def forward(self, pixels: Tensor) -> Tensor:
        """See `build_network`."""
        maps: Any = self.embedder(pixels)
        for stage in self.encoder.stages:  # type: ignore[union-attr]
            maps = stage(maps)
        return maps  # type: ignore[no-any-return]


def network_shapes(depth: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of its weights and running statistics."""
    with torch.device("meta"):
        state = build_network(depth).state_dict()
    return {name: tuple(value.shape) for name, value in state.items() if value.is_floating_point()}
