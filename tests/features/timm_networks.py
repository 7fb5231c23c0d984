"""Small random networks of timm, in the layout of the hub: one block or two of the real architectures."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.packages import optional

SHALLOW = {"depth": 2, "embed_dim": 48, "num_heads": 2}
"""Of a vision transformer, whatever its size: a block is as good as twelve to say which token is which."""


def write(folder: Path, architecture: str, told: dict[str, Any] | None = None, **arguments: Any) -> Path:
    """A folder with random weights, every tensor away from its initial value, and with what timm tells of them."""
    timm = optional("timm", "timm")
    network = create(architecture, **arguments)
    folder.mkdir(parents=True)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        state = {
            n: v + 0.02 * torch.randn(v.shape) if v.is_floating_point() else v for n, v in network.state_dict().items()
        }
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    usual = timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    known = (
        {} if usual is None else {k: v for k, v in usual.to_dict().items() if k not in ("url", "hf_hub_id", "license")}
    )
    config = {
        "architecture": architecture,
        "pretrained_cfg": known | {"num_classes": 0} | (told or {}),
        "model_args": arguments,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def create(architecture: str, **arguments: Any) -> torch.nn.Module:
    """The network, for inference, without a classifier."""
    network: torch.nn.Module = optional("timm", "timm").create_model(architecture, num_classes=0, **arguments).eval()
    return network


def images(size: int, n: int = 2) -> torch.Tensor:
    """Random pixels."""
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
