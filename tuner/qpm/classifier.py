"""What all our models are: an adapter, a head, and the way they are run, saved and loaded.

Evaluation and explanation ask for nothing more than this.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from tuner.errors import TunerError
from tuner.features.samples import Samples
from tuner.pulse import beat
from tuner.qpm.adapter import Adapter
from tuner.qpm.head import BinaryHead
from tuner.qpm.randomness import dropout
from tuner.qpm.settings import AdapterConfig
from tuner.qpm.storage import read_folder, whole, write_folder


class Activations(NamedTuple):
    """What a model makes of some images."""

    maps: Tensor  # (n, n_patches, width) feature maps
    pooled: Tensor  # (n, width) features
    logits: Tensor  # (n, n_classes)


class Classifier(nn.Module):
    """An adapter and a head.

    Attributes:
        grid: tokens per column and per row.
        n_classes: number of classes.
        dropout: share of the pooled features dropped in training.
        curves: one row an epoch: epoch, loss and its terms, training accuracy in percent.
    """

    kind: ClassVar[str]
    head: nn.Linear | BinaryHead

    def __init__(self, adapter: Adapter, head: nn.Linear | BinaryHead, grid: tuple[int, int]) -> None:
        super().__init__()
        self.adapter = adapter
        self.head = head
        self.grid = grid
        self.n_classes: int = head.weight.shape[0]
        self.dropout = 0.0
        self.curves: list[dict[str, float]] = []

    @classmethod
    def blank(cls, config: AdapterConfig, dim: int, n_classes: int, grid: tuple[int, int]) -> Self:
        """A model of the right shape whose weights are still to be loaded."""
        raise NotImplementedError

    @property
    def weight(self) -> Tensor:
        """The head's weights, (n_classes, width); binary for QPM."""
        return self.head.weight

    def forward(self, patches: Tensor, cls: Tensor | None = None, noise: torch.Generator | None = None) -> Activations:
        """Run tokens (n, n_patches, dim) and CLS (n, dim); `noise` draws dropout, None for none."""
        maps, pooled = self.adapter(patches, cls, noise)
        pooled = dropout(pooled, self.dropout, noise)
        return Activations(maps, pooled, self.head(pooled))

    @torch.no_grad()
    def feature_maps(self, patches: Tensor, cls: Tensor | None = None) -> Tensor:
        """Feature maps, (n, width, n_patches)."""
        activations: Activations = self.eval()(patches, cls)
        return activations.maps.transpose(1, 2)

    @torch.no_grad()
    def logits(self, patches: Tensor, cls: Tensor | None = None) -> Tensor:
        """Logits, (n, n_classes)."""
        activations: Activations = self.eval()(patches, cls)
        return activations.logits

    def predict(self, patches: Tensor, cls: Tensor | None = None) -> Tensor:
        """Predicted classes, (n,) int64."""
        return self.logits(patches, cls).argmax(1)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, `model.json` and `curves.parquet`."""
        shape = {"dim": self.adapter.dim, "n_classes": self.n_classes, "grid": list(self.grid)}
        about = {"kind": self.kind, "adapter": asdict(self.adapter.config), **shape}
        write_folder(folder, "model", self.state_dict(), about, self.curves)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, ready to predict.

        Raises:
            TunerError: the folder holds another kind of model, or something is missing or damaged.
        """
        tensors, about, curves = read_folder(folder, "model")
        with whole(folder, "model"):
            if about["kind"] != cls.kind:
                raise TunerError(
                    f"{folder} holds a model of kind {about['kind']}",
                    f"kind {cls.kind}",
                    "load it with its own class",
                )
            config = AdapterConfig(**about["adapter"])
            model = cls.blank(config, about["dim"], about["n_classes"], (about["grid"][0], about["grid"][1]))
            model.load_state_dict(tensors)
        model.curves = curves
        return model.eval()


@torch.no_grad()
def batches(model: Classifier, samples: Samples, size: int = 128) -> Iterator[tuple[slice, Activations]]:
    """Run a model over samples in evaluation mode, `size` images at a time, in order."""
    model.eval()
    for start in range(0, len(samples), size):
        beat()
        rows = slice(start, start + size)
        cls = None if samples.cls is None else samples.cls[rows]
        yield rows, model(samples.patches[rows], cls)


def pooled_features(model: Classifier, samples: Samples) -> Tensor:
    """Features of all samples, (n, width) float32, in evaluation mode."""
    return torch.cat([activations.pooled for _, activations in batches(model, samples)])
