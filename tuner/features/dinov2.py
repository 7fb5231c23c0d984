"""DINOv2, with or without registers: the backbone of the published models (docs/explanation/method.md#backbone).

The network comes from transformers. Position embeddings, preprocessing and the choice of tokens are implemented here,
because the published features differ from the library's defaults in each of them.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuner.data.fingerprint import Hasher
from tuner.data.words import count
from tuner.errors import TunerError, UsageError
from tuner.features.backbone import Tokens
from tuner.features.dinov2_weights import DEFAULT, SHAPING, TODO, architecture, hub_folder, package
from tuner.features.licences import UNKNOWN
from tuner.features.settings import Dinov2Settings

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PUBLISHED_LICENCE = "apache-2.0"  # of the weights on the hub; a file's own is not known
_CUB = ((0.4853, 0.4964, 0.4295), (0.2300, 0.2258, 0.2625))
PUBLISHED = {"cub": _CUB, "cub50": _CUB, "cars": ((0.4593, 0.4466, 0.4453), (0.2920, 0.2910, 0.2988))}


class Dinov2:
    """Patch tokens and CLS of a chosen block; registers are dropped.

    Args:
        config: `weights` is a folder in the hub's layout, a checkpoint of Meta (.pth) or a hub name; `layer`,
            `norm`, `position_antialias`, `position_offset` and `preprocessing` are explained there.
        data_name: the data set, whose pixel statistics `parity` uses; measured on the training images where none
            were published.
        offline: never ask the hub.

    Raises:
        UsageError: an image size that is no multiple of the patch size, or a layer that is not there.
        TunerError: the weights are missing; the message says where to get and put them.
    """

    has_cls = True
    package = "transformers"

    def __init__(self, config: Dinov2Settings, data_name: str, *, offline: bool = False) -> None:
        self._config = config
        is_published = (config.weights or DEFAULT).startswith("facebook/dinov2")
        self.licence: str | None = PUBLISHED_LICENCE if is_published else UNKNOWN
        self._folder = hub_folder(config.weights, offline=offline)
        self._architecture = architecture(self._folder)
        self._registers: int = self._architecture.get("num_register_tokens", 0)
        self.image_size = config.image_size or 224
        self.dim: int = self._architecture["hidden_size"]
        patch: int = self._architecture["patch_size"]
        if self.image_size % patch:
            nearest = max(1, round(self.image_size / patch)) * patch
            raise UsageError(f"backbone.image_size={self.image_size}", f"a multiple of {patch}", f"set it to {nearest}")
        if not -self._architecture["num_hidden_layers"] <= config.layer <= -1:
            raise UsageError(
                f"backbone.layer={config.layer}",
                f"-1 (the last) to -{self._architecture['num_hidden_layers']} (the first)",
                "choose an existing block",
            )
        self.grid = (self.image_size // patch, self.image_size // patch)
        self._model: nn.Module = nn.Identity()
        self._known = IMAGENET if config.preprocessing == "standard" else PUBLISHED.get(data_name)
        self._statistics: tuple[Tensor, Tensor] | None = None
        if self._known is not None:
            self._statistics = torch.tensor(self._known[0]), torch.tensor(self._known[1])

    def key_material(self) -> dict[str, Any]:
        """Weights, architecture, and every option that shapes the tokens."""
        weights = sorted(self._folder.glob("*.safetensors"))
        digests = Hasher().digests(weights)
        architecture = {k: v for k, v in self._architecture.items() if k != "transformers_version"}
        return {
            "name": "dinov2",
            "code": 1,
            "weights": [digests[file] for file in weights],
            "architecture": hashlib.sha256(json.dumps(architecture, sort_keys=True).encode()).hexdigest(),
            "image_size": self.image_size,
            "layer": self._config.layer,
            "norm": self._config.norm,
            "position": [self._config.position_antialias, self._config.position_offset],
            "preprocessing": self._config.preprocessing,
            "statistics": self._known or "measured",
        }

    def load(self, device: torch.device) -> None:
        """Loads the network and makes the options part of it: later blocks are cut off, positions resized."""
        transformers = package("transformers")
        kind = transformers.Dinov2WithRegistersModel if self._registers else transformers.Dinov2Model
        known = {name: value for name, value in self._architecture.items() if name in SHAPING}
        options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "output_loading_info": True}
        options["ignore_mismatched_sizes"] = True  # refused below, by name
        try:
            config = kind.config_class(**known)  # no other key: some name code to be fetched and run
            model, report = kind.from_pretrained(self._folder, config=config, dtype=torch.float32, **options)
            sound = all(bool(torch.isfinite(values).all()) for values in model.parameters())
        except Exception as error:  # transformers raises a dozen types for a damaged or foreign folder
            raise TunerError(f"{self._folder} cannot be loaded: {error}", "DINOv2 weights", TODO) from error
        if not sound:
            raise TunerError(f"{self._folder} holds weights that are not finite", "DINOv2 weights, whole", TODO)
        if wrong := sorted(report["mismatched_keys"]):
            name, found, wanted = wrong[0]
            raise TunerError(
                f"{self._folder}: {count(len(wrong), 'tensor has', 'tensors have')} another shape than its config.json "
                f"says: {name} is {tuple(found)}",
                f"{tuple(wanted)}",
                TODO,
            )
        if missing := sorted(report["missing_keys"]):
            raise TunerError(f"{self._folder} lacks {len(missing)} tensors: {missing[0]} ...", "all weights", TODO)
        n_blocks = len(model.encoder.layer) + 1 + self._config.layer
        model.encoder.layer = model.encoder.layer[:n_blocks]
        if not self._config.norm:
            model.layernorm = nn.Identity()
        positions = resize_positions(
            model.embeddings.position_embeddings.detach(),
            self.grid,
            antialias=self._config.position_antialias,
            offset=self._config.position_offset,
        )
        model.embeddings.position_embeddings = nn.Parameter(positions, requires_grad=False)
        self._model = model.eval().requires_grad_(False).to(device)
        self._move_statistics(device)

    def needs_fit(self) -> bool:
        """Only for `parity` on a data set without published pixel statistics."""
        return self._statistics is None

    def fit(self, images: Iterable[Tensor]) -> None:
        """Measures mean and standard deviation of each channel over the training images."""
        total, squares, count = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), 0
        for batch in images:
            pixels = batch.double().div(255)
            total += pixels.sum((0, 2, 3))
            squares += pixels.square().sum((0, 2, 3))
            count += batch.shape[0] * batch.shape[2] * batch.shape[3]
        mean = total / count
        self.load_state({"mean": mean.float(), "std": (squares / count - mean.square()).clamp(min=0).sqrt().float()})

    def state(self) -> dict[str, Tensor]:
        """The measured pixel statistics, `mean` and `std` (3,)."""
        if self._statistics is None:
            return {}
        return {"mean": self._statistics[0].cpu(), "std": self._statistics[1].cpu()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes measured pixel statistics."""
        self._statistics = state["mean"], state["std"]
        self._move_statistics(next(iter(self._model.parameters()), state["mean"]).device)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """See `state`."""
        return {"mean": (3,), "std": (3,)}

    def _move_statistics(self, device: torch.device) -> None:
        if self._statistics is not None:
            self._statistics = self._statistics[0].to(device), self._statistics[1].to(device)

    @torch.inference_mode()
    def tokens(self, images: Tensor) -> Tokens:
        """See `Backbone.tokens`."""
        hidden = self._model(self.preprocess(images)).last_hidden_state
        return hidden[:, 1 + self._registers :], hidden[:, 0]

    def preprocess(self, images: Tensor) -> Tensor:
        """Scales squashed images as docs/explanation/method.md#preprocessing says.

        Args:
            images: (n, 3, size, size) uint8.

        Returns:
            (n, 3, size, size) float32. `standard`: normalised with ImageNet's statistics. `parity`: normalised with
            the data set's, then each image scaled to [0, 1] over all its pixels and channels.
        """
        assert self._statistics is not None, "fit before tokens"
        mean, std = (values[:, None, None] for values in self._statistics)
        pixels = (images.float() / 255 - mean) / std.clamp(min=1e-6)
        if self._config.preprocessing == "standard":
            return pixels
        low, high = pixels.amin((1, 2, 3), keepdim=True), pixels.amax((1, 2, 3), keepdim=True)
        return ((pixels - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def resize_positions(positions: Tensor, grid: tuple[int, int], *, antialias: bool, offset: float) -> Tensor:
    """Brings position embeddings to another grid, bicubic (docs/explanation/method.md#position-embeddings).

    Args:
        positions: (1, 1 + side * side, dim), CLS first.
        grid: rows and columns wanted.
        antialias: as in Meta's hub entry for models with registers; off for parity.
        offset: added to the grid size before the scale is computed (0.1 for parity); 0 gives the size itself.

    Returns:
        (1, 1 + grid_h * grid_w, dim); unchanged where the grid is already the one wanted.
    """
    side = round((positions.shape[1] - 1) ** 0.5)
    if (side, side) == grid:
        return positions
    cls, patches = positions[:, :1], positions[:, 1:]
    maps = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = ((grid[0] + offset) / side, (grid[1] + offset) / side)
    target: dict[str, Any] = {"scale_factor": scale} if offset else {"size": grid}
    resized = F.interpolate(maps, mode="bicubic", align_corners=False, antialias=antialias, **target)
    return torch.cat([cls, resized.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
