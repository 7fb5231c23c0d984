"""The base of all models: an adapter and a head, and how to run, save and load them.

Evaluation and explanation need nothing else.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from tuner.base.untrusted import is_whole, pair, read_json, require, settings_from, shown, unsound
from tuner.features.bank import FeatureBank
from tuner.features.feeding import in_order
from tuner.features.samples import Samples
from tuner.qpm.adapter import Adapter
from tuner.qpm.curves import of_training, read_curves
from tuner.qpm.head import BinaryHead, SparseHead
from tuner.qpm.randomness import dropout
from tuner.qpm.settings import AdapterConfig
from tuner.qpm.storage import read_state, table_of, write_folder

BATCH = 128  # images that pass a model at a time in evaluation
MOST_TOKENS, MOST_WIDTH, MOST_CLASSES, MOST_LAYERS = 1024, 1_000_000, 10_000_000, 16  # what is believed of a file


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
        curves: one row per epoch: epoch, loss and its terms, training accuracy in percent; after some epochs,
            if held-out images were given, `val_loss`, `val_cross_entropy`, `val_accuracy` and `val_n_images`.
    """

    kind: ClassVar[str]
    head: nn.Linear | BinaryHead | SparseHead

    def __init__(self, adapter: Adapter, head: nn.Linear | BinaryHead | SparseHead, grid: tuple[int, int]) -> None:
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

    def head_inputs(self, pooled: Tensor) -> Tensor:
        """What the head multiplies by its weights, of pooled features, both (n, width)."""
        return pooled

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
        """Write `model.safetensors`, `model.json` and `curves.parquet`, the latter without values on held-out images.

        Such values say nothing of the model itself: the folder is the same with and without them.
        """
        shape = {"dim": self.adapter.dim, "n_classes": self.n_classes, "grid": list(self.grid)}
        about = {"kind": self.kind, "adapter": asdict(self.adapter.config), **shape, **self.details()}
        write_folder(folder, "model", self.state_dict(), about, of_training(self.curves))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, ready to predict.

        Raises:
            MalformedError: the folder holds another kind of model, or something in it is missing, damaged or invalid.
        """
        file = folder / "model.json"
        about = read_json(file)
        require(about.get("kind") == cls.kind, file, f"it is of kind {shown(about.get('kind'))}", f"kind {cls.kind}")
        config = cls.read_config(about.get("adapter"), file)
        dim, n_classes, grid = about.get("dim"), about.get("n_classes"), pair(about.get("grid"), 1, MOST_TOKENS)
        if not (is_whole(dim, 1, MOST_WIDTH) and is_whole(n_classes, 1, MOST_CLASSES) and grid):
            raise unsound(file, "dim, n_classes or grid is missing or odd", "the sizes of a model")
        with torch.device("meta"):  # nothing is made room for until the weights are known to be of these sizes
            expected = table_of(cls.blank(config, dim, n_classes, grid))
        weights = folder / "model.safetensors"
        tensors = read_state(weights, expected)
        model = cls.blank(config, dim, n_classes, grid)
        model.load_state_dict(tensors)
        model.restore(about, file)
        model.check(weights)
        model.curves = read_curves(folder)
        return model.eval()

    @classmethod
    def read_config(cls, found: Any, file: object) -> Any:
        """The settings of the adapter in a file.

        Raises:
            MalformedError: naming the file.
        """
        config = settings_from(AdapterConfig, found, file, free=["n_layers"])
        layers = is_whole(config.n_layers, 0, MOST_LAYERS)  # a linear probe has none
        require(layers, file, f"n_layers is {config.n_layers}", f"from 0 to {MOST_LAYERS}")
        wide = max(config.width, config.hidden) > MOST_WIDTH
        require(not wide, file, "a width of the adapter is odd", f"widths of at most {MOST_WIDTH:,}")
        return config

    @property
    def map_grid(self) -> tuple[int, int]:
        """Rows and columns of the feature maps."""
        return self.grid

    def seen(self, samples: Samples) -> Samples:
        """The samples with masks on the grid of the feature maps."""
        return samples

    def of(self, bank: FeatureBank) -> Self:
        """This model, after a check that it fits the tokens and classes of a bank.

        Raises:
            MalformedError: it is of others.
        """
        own, wanted = (self.adapter.dim, self.grid, self.n_classes), (bank.dim, bank.grid, len(bank.class_names))
        require(own == wanted, "the model", f"its tokens, grid and classes are {own}", f"those of its bank, {wanted}")
        return self

    def details(self) -> dict[str, Any]:
        """What `model.json` keeps of this kind of model besides shape and adapter."""
        return {}

    def restore(self, about: dict[str, Any], where: object) -> None:
        """Take the details from the content of `model.json`.

        Raises:
            MalformedError: one of them is odd, naming `where` it is from.
        """

    def check(self, where: object) -> None:
        """Refuse weights that training cannot produce.

        Raises:
            MalformedError: naming `where` they are from.
        """
        self.adapter.check(where)
        for name, values in self.named_buffers():
            if name.endswith("running_var"):
                require((values >= 0).all(), where, f"{name} holds a variance below 0", "variances of at least 0")


@torch.no_grad()
def batches(model: Classifier, samples: Samples, size: int = BATCH) -> Iterator[tuple[slice, Activations]]:
    """Run a model over samples in evaluation mode, `size` images at a time, in order."""
    model.eval()
    for rows, (patches, cls) in in_order(samples, size):
        yield rows, model(patches, cls)


def pooled_features(model: Classifier, samples: Samples) -> Tensor:
    """Features of all samples, (n, width) float32, in evaluation mode."""
    return torch.cat([activations.pooled for _, activations in batches(model, samples)])
