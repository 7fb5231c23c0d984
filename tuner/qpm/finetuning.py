"""The fine-tuning stage: the adapter is trained behind the fixed binary head
(docs/explanation/method.md#finetune-stage).

Its last layer is cut to the selected outputs first, which changes nothing but the time it takes.
"""

from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from tuner.base.untrusted import require, shown
from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.qpm.adapter import Adapter, cut
from tuner.qpm.assignment import Assignment, check_table
from tuner.qpm.classifier import Classifier
from tuner.qpm.dense import DenseModel
from tuner.qpm.head import BinaryHead
from tuner.qpm.rounds import fit_rounds
from tuner.qpm.settings import AdapterConfig, FinetuneConfig
from tuner.qpm.training import Progress


class QpmModel(Classifier):
    """Adapter with `n_features` outputs and a binary head: a class is the sum of a few features.

    Args:
        adapter: its outputs are the selected features, in the order of the assignment's columns.
        n_classes: number of classes.
        grid: tokens per column and per row.
    """

    kind: ClassVar[str] = "qpm"
    head: BinaryHead

    def __init__(self, adapter: Adapter, n_classes: int, grid: tuple[int, int]) -> None:
        super().__init__(adapter, BinaryHead(n_classes, adapter.width), grid)

    @classmethod
    def blank(cls, config: AdapterConfig, dim: int, n_classes: int, grid: tuple[int, int]) -> Self:
        """A model of the right shape whose weights are still to be loaded."""
        return cls(Adapter(config, dim), n_classes, grid)

    def head_inputs(self, pooled: Tensor) -> Tensor:
        """The standardised features."""
        return self.head.standardise(pooled)

    def details(self) -> dict[str, Any]:
        """See `Classifier.details`; only what is not as in a model of earlier versions."""
        return {"rectified": True} if self.head.rectified else {}

    def restore(self, about: dict[str, Any], where: object) -> None:
        """See `Classifier.restore`."""
        rectified = about.get("rectified", False)
        require(isinstance(rectified, bool), where, f"rectified is {shown(rectified)}", "true or false")
        self.head.rectified = rectified

    def check(self, where: object) -> None:
        """See `Classifier.check`; the head must be one that an assignment gave."""
        super().check(where)
        head = {name: values.cpu().numpy() for name, values in self.head.named_buffers()}
        check_table(head["features"], head["assignment"], head["std"], where)

    @property
    def features(self) -> Tensor:
        """Indices of the features in the dense model, (n_features,) int64."""
        return self.head.features

    @property
    def assignment(self) -> Tensor:
        """Which features a class is made of, (n_classes, n_features) bool."""
        return self.head.assignment

    @property
    def mean(self) -> Tensor:
        """Mean of each feature over train in the dense stage, (n_features,)."""
        return self.head.mean

    @property
    def std(self) -> Tensor:
        """Population standard deviation of each feature over train in the dense stage, (n_features,)."""
        return self.head.std


def assigned_model(dense: DenseModel, assignment: Assignment, *, rectified: bool = False) -> QpmModel:
    """The dense model's adapter behind the binary head, not yet tuned; the start of fine-tuning.

    Args:
        dense: the model the assignment was made for.
        assignment: features, rows, mean and deviation.
        rectified: whether features below their mean add 0 (docs/explanation/method.md#chiqpm).

    Raises:
        MalformedError: the assignment is of another model.
    """
    features = torch.as_tensor(assignment.of(dense).features, device=dense.weight.device)
    model = QpmModel(cut(dense.adapter, features), dense.n_classes, dense.grid)
    load_head(model, assignment)
    model.head.rectified = rectified
    return model.to(dense.weight).eval()


def load_head(model: QpmModel, assignment: Assignment) -> None:
    """Give a model the head of an assignment: features, rows, mean and deviation."""
    names = {"features": "features", "assignment": "matrix", "mean": "mean", "std": "std"}
    model.head.load_state_dict({name: torch.as_tensor(getattr(assignment, of)) for name, of in names.items()})


def finetune(
    dense: DenseModel,
    assignment: Assignment,
    train: Samples,
    config: FinetuneConfig,
    *,
    seed: int,
    device: str = "auto",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    until: int | None = None,
    validation: Samples | None = None,
) -> QpmModel:
    """Train the adapter behind the fixed assignment, from the dense model's averaged weights.

    Args:
        dense: the model the assignment was made for.
        assignment: features, rows, mean and deviation; all frozen.
        train: the training images.
        config: epochs, learning rate, weights of the losses.
        seed: of batch order and dropout, apart from those of the dense stage.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        progress: called after each epoch.
        checkpoint: file resumed from where it exists, and written after each epoch.
        until: epochs after which training breaks off; from the checkpoint it continues as if it had not.
        validation: held-out images for the learning curves; they change nothing else. None: none.

    Raises:
        DivergedError: the loss became NaN or infinite.
        UsageError: the rounds leave no epoch to the last; the checkpoint is of another run.
    """
    target = choose_device(device)
    model = assigned_model(dense, assignment, rectified=config.rectified).to(target)
    samples = train.near(target)
    fit_rounds(
        model,
        samples,
        config,
        stage="finetune",
        seed=seed,
        progress=progress,
        checkpoint=checkpoint,
        until=until,
        validation=None if validation is None else validation.near(target),
    )
    return model
