"""The source of all random numbers of the method: generators with explicit seeds, never the global one.

A generator belongs to one purpose, stage and epoch, so a resumed epoch draws what it drew the first time.
"""

import zlib

import numpy as np
import torch
from torch import Tensor, nn


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for one purpose, such as `generator(seed, "dense", "order", epoch)`."""
    words = [zlib.crc32(word.encode()) if isinstance(word, str) else word for word in purpose]
    state = np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)
    return torch.Generator(device=device).manual_seed(int(state[0] >> np.uint64(1)))


def dropout(x: Tensor, share: float, noise: torch.Generator | None) -> Tensor:
    """Zero a `share` of `x` and scale the rest up; the identity without a generator (evaluation)."""
    if noise is None or share == 0.0:
        return x
    kept = torch.rand(x.shape, generator=noise, device=x.device) >= share
    return x * kept / (1.0 - share)


def linear(n_in: int, n_out: int, init: torch.Generator | None) -> nn.Linear:
    """A linear layer with PyTorch's default initialisation, uniform on +-1/sqrt(n_in), drawn from `init`.

    Without a generator the weights are left unset, to be loaded.
    """
    device = torch.get_default_device()  # "meta" if only shapes are needed
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, n_in, n_out, device=device)  # type: ignore[no-untyped-call]
    if init is not None:
        bound = n_in**-0.5
        nn.init.uniform_(layer.weight, -bound, bound, generator=init)
        nn.init.uniform_(layer.bias, -bound, bound, generator=init)
    return layer
