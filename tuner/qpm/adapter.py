"""The adapter: an MLP that turns every frozen token into non-negative features (docs/explanation/method.md#adapter).

Its outputs over the patches of an image are the feature maps; pooling them gives the features.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.base.untrusted import require
from tuner.qpm.adapter_fit import WITH_CLS, check_fit, n_in
from tuner.qpm.randomness import dropout, linear
from tuner.qpm.settings import AdapterConfig

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu_,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "leaky_relu": F.leaky_relu_,
    "tanh": torch.tanh,
}


class Layer(nn.Module):
    """Linear, batch norm per channel over all tokens of the batch unless it is off, activation."""

    def __init__(
        self, n_in: int, n_out: int, activation: str, init: torch.Generator | None, *, batch_norm: bool = True
    ) -> None:
        super().__init__()
        self.linear = linear(n_in, n_out, init)
        self.norm = nn.BatchNorm1d(n_out) if batch_norm else nn.Identity()
        self.activation = _ACTIVATIONS[activation]

    def forward(self, tokens: Tensor, added: Tensor | None = None) -> Tensor:
        """(n_tokens, n_in) -> (n_tokens, n_out); `added`, (n_tokens, n_out), joins before the activation."""
        out = self.norm(self.linear(tokens))
        return self.activation(out if added is None else out + added)


class Adapter(nn.Module):
    """Tokens to feature maps and pooled features.

    Args:
        config: its settings; with `n_layers` 0 the tokens themselves are the features.
        dim: width of a token.
        init: draws the initial weights; None leaves them unset, to be loaded.

    Attributes:
        columns: (width,) int64, which number of the token is added to each output; only with `residual`.
        scale: (width,) what each map is multiplied with; only with `scale`.

    Raises:
        UsageError: a fresh adapter with `residual` whose outputs are not as many as a token has numbers.
    """

    columns: Tensor

    def __init__(self, config: AdapterConfig, dim: int, init: torch.Generator | None = None) -> None:
        super().__init__()
        if init is not None:
            check_fit(config, dim, has_cls=True)  # whether there is one, the first images tell
        widths = [n_in(config, dim), *[config.hidden] * (config.n_layers - 1), config.width][: config.n_layers + 1]
        self.config = replace(config, width=widths[-1])
        self.dim = dim
        self.training_dtype = torch.float32  # what the layers compute in until training ends, see precision.py
        self.layers = nn.ModuleList(
            Layer(a, b, config.activation, init, batch_norm=config.batch_norm) for a, b in pairwise(widths)
        )
        if config.residual:
            self.register_buffer("columns", torch.arange(self.width))
        if config.scale:
            self.scale = nn.Parameter(torch.ones(self.width))

    @property
    def width(self) -> int:
        """Number of features."""
        return self.config.width

    def forward(
        self, patches: Tensor, cls: Tensor | None, noise: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Feature maps (n, n_patches, width) and pooled features (n, width).

        Args:
            patches: (n, n_patches, dim), any float type; computed in the type of the weights.
            cls: (n, dim) or None.
            noise: draws the inner dropout; None for none.
        """
        tokens = self._tokens(patches, cls)
        dtype = next((weight.dtype for weight in self.parameters()), torch.float32)
        half = self.training_dtype == torch.bfloat16
        flat = tokens.flatten(0, 1).to(torch.bfloat16 if half else dtype)
        with torch.autocast(tokens.device.type, torch.bfloat16) if half else nullcontext():
            added, last = self._added(flat), len(self.layers) - 1
            for i, layer in enumerate(self.layers):
                flat = dropout(flat, self.config.dropout, noise) if i > 0 else flat
                flat = layer(flat, added if i == last else None)
        out = flat.to(dtype).view(*tokens.shape[:2], self.width)
        if self.config.scale:
            out = F.relu(out * self.scale)
        maps = out[:, : patches.shape[1]]
        return maps, self._pool(maps, out)

    def check(self, where: object) -> None:
        """Refuse columns of a residual that no cut can produce.

        Raises:
            MalformedError: naming `where` they are from.
        """
        if self.config.residual:
            low, high = int(self.columns.min()), int(self.columns.max())
            inside = low >= 0 and high < n_in(self.config, self.dim)
            require(inside, where, f"columns of the residual from {low} to {high}", "columns of a token")

    def _added(self, flat: Tensor) -> Tensor | None:
        """What the residual adds, (n_tokens, width); None without one."""
        return flat.index_select(1, self.columns) if self.config.residual else None

    def _tokens(self, patches: Tensor, cls: Tensor | None) -> Tensor:
        """The tokens that pass the layers, (n, n_tokens, dim or 2 dim).

        The CLS token comes last: where the pooling reads it, and in training where it is to count in the
        batch statistics.
        """
        pooling = self.config.pooling
        if cls is None:
            check_fit(replace(self.config, residual=False), self.dim, has_cls=False)
            return patches
        cls = cls.unsqueeze(1)
        if pooling.startswith("concat"):
            return torch.cat([patches, cls.expand_as(patches)], dim=2)
        counts = self.config.batch_norm and self.config.cls_in_batch_norm
        joins = pooling in WITH_CLS or (self.training and counts)
        return torch.cat([patches, cls], dim=1) if joins else patches

    def _pool(self, maps: Tensor, out: Tensor) -> Tensor:
        """docs/explanation/method.md#pooling; `out` are all tokens' outputs, CLS last where it came along."""
        match self.config.pooling:
            case "avg" | "concat_avg":
                return maps.mean(1)
            case "max" | "concat_max":
                return maps.amax(1)
            case "cls":
                return out[:, -1]
            case _:
                return (out[:, -1] + maps.mean(1)) / 2


def cut(adapter: Adapter, features: Tensor) -> Adapter:
    """A copy of `adapter` that puts out only `features`, in their order (docs/explanation/method.md#finetune-stage).

    Batch norm and AdamW act per channel, and unselected outputs get no gradient, so training the copy gives
    what training the whole would; running statistics are cut along.

    Args:
        features: (n_features,) int64 indices into the adapter's outputs.
    """
    smaller = Adapter(replace(adapter.config, width=len(features)), adapter.dim)
    state = adapter.state_dict()
    last = f"layers.{len(adapter.layers) - 1}."
    per_output = {key for key, value in state.items() if key.startswith(last) and value.ndim > 0}
    per_output |= {"columns", "scale"}
    weight: Tensor = next(adapter.parameters())
    smaller.to(weight.device, weight.dtype)
    smaller.load_state_dict({k: v[features] if k in per_output else v for k, v in state.items()})
    return smaller
