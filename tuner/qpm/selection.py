"""Where SLDD and Q-SENN begin: features selected by the grouped path, and the dense adapter cut to them
(docs/explanation/method.md#glm-path)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tuner.data.splits import stratified_split
from tuner.errors import UsageError
from tuner.features.samples import Samples
from tuner.qpm.adapter import cut
from tuner.qpm.classifier import pooled_features
from tuner.qpm.dense import DenseModel
from tuner.qpm.glm.path import Selection, select_features
from tuner.qpm.glm.problem import Problem
from tuner.qpm.program.instance.sizes import check_feasible
from tuner.qpm.program_input import SMALLEST_STD
from tuner.qpm.settings import SparseConfig
from tuner.qpm.sparse import SparseModel


@dataclass(frozen=True)
class Standardised:
    """Features of the training images as z-scores, and which of the images the paths are fitted on.

    Attributes:
        z: (n, width) float64.
        mean: of each feature over all images, (width,) float64.
        std: population standard deviation, likewise.
        labels: (n,) int64.
        fitted: (n,) bool; the others score the models of a path.
        n_classes: number of classes.
    """

    z: Tensor
    mean: Tensor
    std: Tensor
    labels: Tensor
    fitted: Tensor
    n_classes: int

    @classmethod
    def of(cls, x: Tensor, train: Samples, fitted: Tensor) -> "Standardised":
        """Of pooled features x, (n, width)."""
        x = x.double()
        mean, std = x.mean(0), x.std(0, correction=0)
        return cls((x - mean) / std.clamp(min=SMALLEST_STD), mean, std, train.labels, fitted, train.n_classes)

    def only(self, features: Tensor) -> "Standardised":
        """These features alone, (n_features,) int64 columns of z."""
        return replace(self, z=self.z[:, features], mean=self.mean[features], std=self.std[features])

    @property
    def problem(self) -> Problem:
        """What a path is fitted on."""
        return Problem.of(self.z[self.fitted], self.labels[self.fitted], self.n_classes)

    def accuracy(self, weight: Tensor, bias: Tensor) -> float | None:
        """Per cent of the images that were not fitted on which a linear model gets right; None where there are none."""
        rest = ~self.fitted
        if not rest.any():
            return None
        right = (self.z[rest] @ weight.T + bias).argmax(1) == self.labels[rest]
        return 100.0 * float(right.double().mean())


@torch.no_grad()
def selected_model(
    dense: DenseModel, train: Samples, config: SparseConfig, seed: int
) -> tuple[SparseModel, Standardised]:
    """The dense model's adapter, cut to the selected features, behind a head that is still to be filled; and these
    features of the training images.

    Args:
        dense: a trained dense model, on the device of the samples.
        train: the images it was trained on.
        config: sizes and settings of the paths.
        seed: of the split.

    Raises:
        InfeasibleError: there are fewer features that vary, or that tell something, than are to be selected.
        UsageError: the model has no adapter, or a class has no image, or only one where some are held out.
    """
    if not dense.adapter.layers:
        raise UsageError(
            "selection for a model without adapter", "adapter.n_layers >= 1", "train a dense model with layers"
        )
    check_feasible(dense.adapter.width, config.n_features, config.features_per_class, n_classes=1)
    fitted = _fitted(train, config.held_out, seed)
    found = Standardised.of(pooled_features(dense, train), train, fitted)
    alive = (found.std > SMALLEST_STD * found.std.max().clamp(min=SMALLEST_STD)).nonzero().flatten()
    check_feasible(len(alive), config.n_features, config.features_per_class, n_classes=1)
    selection = select_features(found.problem.only(alive), config.n_features, config)
    selected = alive[torch.tensor(selection.order).to(alive.device)]
    features = selected.sort().values
    model = SparseModel(cut(dense.adapter, features), dense.n_classes, dense.grid)
    model.head.features.copy_(features)
    model.info = {"n_dead": dense.adapter.width - len(alive), "n_candidates": len(alive), **_told(selection, selected)}
    return model.to(dense.weight).eval(), found.only(features)


def _told(selection: Selection, selected: Tensor) -> dict[str, Any]:
    return {
        "selected": selected.cpu().tolist(),
        "last_selection_strength": selection.strengths[-1],
        "unfinished": selection.unfinished,
    }


def _fitted(train: Samples, held_out: float, seed: int) -> Tensor:
    """Which images the paths are fitted on, (n,) bool; copies are on one side."""
    labels = train.labels.cpu().numpy()
    absent = np.flatnonzero(np.bincount(labels, minlength=train.n_classes) == 0).tolist()
    if absent:
        raise UsageError(
            f"no training image of {len(absent)} of {train.n_classes} classes (class {absent[0]} is the first)",
            "at least one image of every class",
            "add images, or leave the class out of the data set",
        )
    content = None if train.content is None else train.content.cpu().numpy()
    return torch.as_tensor(~stratified_split(labels, held_out, seed, content=content), device=train.device)
