"""Image files to tokens with a frozen backbone: the reader, preprocessing and number type of a feature bank.

Nothing is kept outside the object. It is pickled without its network: settings, and what the backbone learned.
"""

import hashlib
import json
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuner.data.dataset import Dataset, FilePictures
from tuner.estimator.errors import InputError
from tuner.features.backbone import Backbone, load_fitted
from tuner.features.device import choose_device
from tuner.features.forward import forward, half_tokens
from tuner.features.kept import require_patches, token_type
from tuner.features.kinds import BACKBONES
from tuner.features.loading import Batch, batches
from tuner.features.packing import as_stored
from tuner.features.registry import make_backbone, require_frozen
from tuner.features.resize import resolved
from tuner.features.settings import BackboneConfig, BackboneSettings

DATA_NAME = "images"  # no published pixel statistics are known by this name


def backbone_config(backbone: Any) -> BackboneSettings:
    """The settings of a backbone that is given by name or as settings.

    Raises:
        InputError: it is neither.
        UsageError: its tokens are no features.
    """
    if isinstance(backbone, str):
        kind = BACKBONES.get(backbone)
        settings: type[BackboneSettings] = kind.settings if kind else BackboneConfig
        backbone = settings(name=backbone)
    if not isinstance(backbone, BackboneSettings):
        raise InputError(
            f"backbone={backbone!r}", "a backbone's name, a BackboneConfig, or None", 'write, say, backbone="dinov2"'
        )
    require_frozen(backbone, "backbone")
    require_patches(backbone, "a QPM classifier")
    return backbone


class ImageReader:
    """A backbone and the way images enter it.

    Args:
        config: the backbone's settings.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        offline: take weights from this machine only, whatever the settings name.

    Attributes:
        learned: what the backbone learned from images, by name; empty for a pre-trained one.

    Raises:
        UsageError: settings that do not fit the backbone, or no such device.
        TunerError: its weights or its optional package are missing.
    """

    def __init__(self, config: BackboneSettings, device: str = "auto", *, offline: bool = False) -> None:
        self.config, self.device, self.offline = config, device, offline
        self.learned: dict[str, NDArray[np.float32]] = {}
        self._network: Backbone | None = self._loaded()

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens per column and per row."""
        return self._ready().grid

    @property
    def shape(self) -> tuple[int, tuple[int, int]]:
        """Width of a token, and the grid."""
        return self._ready().dim, self._ready().grid

    def key(self) -> str:
        """Hash of all that shapes the tokens besides the pixels and what was learned."""
        material = json.dumps(self._ready().key_material(), sort_keys=True)
        return hashlib.sha256(material.encode()).hexdigest()

    def needs_fit(self) -> bool:
        """Whether the backbone has still to learn from images."""
        return self._ready().needs_fit()

    def read_learned(self, file: Path) -> None:
        """Take what the backbone learned from a safetensors file.

        Raises:
            MalformedError: the file holds something else.
        """
        network = self._ready()
        load_fitted(network, file)
        self.learned = {name: values.cpu().numpy() for name, values in network.state().items()}

    def fit(self, paths: Sequence[Path]) -> "ImageReader":
        """Let the backbone learn what is not pre-trained, from these images.

        Raises:
            ImageError: an image cannot be read.
        """
        network = self._ready()
        if network.needs_fit():
            with closing(self._batches(paths, network)) as loader:
                network.fit(batch.images for batch in loader)
            self.learned = {name: values.cpu().numpy() for name, values in network.state().items()}
        return self

    def tokens(self, paths: Sequence[Path]) -> tuple[NDArray[np.float16], NDArray[np.float16] | None]:
        """Patch tokens (n, n_patches, dim) and CLS tokens (n, dim), or None where the backbone has none.

        Raises:
            ImageError: an image cannot be read.
            TunerError: a token is beyond the range of float16.
        """
        network, device = self._ready(), choose_device(self.device)
        patches, cls = [], []
        with forward(network, device) as run, closing(self._batches(paths, network)) as loader:
            for batch in loader:
                maps, one = run(batch.images)
                patches.append(as_stored(maps, token_type(network), paths[int(batch.index[0])]))
                if one is not None:
                    cls.append(half_tokens(one, paths[int(batch.index[0])]))
        return np.concatenate(patches), np.concatenate(cls) if cls else None

    def _batches(self, paths: Sequence[Path], network: Backbone) -> Generator[Batch]:
        index, geometry = np.arange(len(paths)), resolved(self.config.geometry, network.key_material())
        size, grid = network.image_size, network.grid
        return batches(_dataset(paths), index, size, grid, self.config.batch_size, geometry)

    def __getstate__(self) -> dict[str, Any]:
        """Without the network."""
        return {**vars(self), "_network": None}

    def _ready(self) -> Backbone:
        if self._network is None:
            self._network = self._loaded()
        return self._network

    def _loaded(self) -> Backbone:
        network = make_backbone(self.config, DATA_NAME, offline=self.offline)
        network.load(choose_device(self.device))
        if self.learned:
            network.load_state({name: torch.from_numpy(values.copy()) for name, values in self.learned.items()})
        return network


def _dataset(paths: Sequence[Path]) -> Dataset:
    n = len(paths)
    nothing = np.zeros(n, dtype=np.bool_)
    pictures = FilePictures(paths, [None] * n)
    labels = np.zeros(n, dtype=np.int64)
    return Dataset(DATA_NAME, tuple(map(str, paths)), labels, ~nothing, ("image",), nothing, pictures)
