"""Explains predictions of a QPM model: features of a class, where they fire, what they add to the logit.

Plain arrays; drawing them is the report's business. A logit is the sum of a few z-scores, and two classes
differ only in the features they do not share, so an explanation is complete, not an approximation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from tuner.errors import UsageError
from tuner.features.samples import Samples
from tuner.qpm.classifier import Classifier
from tuner.qpm.finetuning import QpmModel

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Evidence:
    """One feature of one class on one image.

    Args:
        column: the feature's column in the assignment.
        feature: its index in the dense model.
        contribution: its z-score, which is what it adds to the logit: how many deviations the feature is above its
            training mean. Below the mean it is negative and speaks against the class, or 0 where the head is rectified.
        saliency: its map at image size, (height, width), >= 0 with ReLU; `strength.full_strength` is its scale.
    """

    column: int
    feature: int
    contribution: float
    saliency: Floats


@dataclass(frozen=True, eq=False)
class Explanation:
    """One image, explained.

    Args:
        index: of the image in the samples.
        label: true class.
        predicted: predicted class; of classes with equal logits the first.
        logits: (n_classes,).
        evidence: for each class asked for, its features by falling contribution; they add up to its logit.
    """

    index: int
    label: int
    predicted: int
    logits: Floats
    evidence: dict[int, tuple[Evidence, ...]]

    @property
    def probabilities(self) -> Floats:
        """Softmax over the logits of all classes, (n_classes,) float64; not calibrated."""
        powers = np.exp(self.logits.astype(np.float64) - self.logits.max())
        return np.asarray(powers / powers.sum())


@dataclass(frozen=True)
class ClassComparison:
    """Two classes by their features, as columns of the assignment.

    Args:
        first: a class.
        second: another.
        shared: features of both: they never tell the two apart.
        only_first: features of the first alone; what they add on an image is the first's side of the margin.
        only_second: features of the second alone.
    """

    first: int
    second: int
    shared: tuple[int, ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]


@torch.no_grad()
def explain(
    model: QpmModel,
    samples: Samples,
    index: int,
    *,
    classes: Sequence[int] | None = None,
    best: int = 0,
    image_size: tuple[int, int] | None = None,
) -> Explanation:
    """Explain the decision on one image.

    Args:
        model: a fine-tuned or assigned model.
        samples: images on any device.
        index: which of them.
        classes: classes whose features are wanted; the predicted and the true class by default.
        best: instead of naming classes: so many with the largest logits, the predicted one first.
        image_size: height and width of the saliency maps, pixels; the grid of the maps itself by default.

    Raises:
        UsageError: the head of the model is not binary.
    """
    _require_binary(model)
    one = samples.subset(torch.tensor([index])).to(model.mean.device)
    maps, pooled, logits = model.eval()(one.patches, one.cls)
    values, label = logits[0].cpu().numpy(), int(one.labels)
    ranked = np.argsort(-values, kind="stable").tolist()
    predicted = int(ranked[0])
    saliency = maps.transpose(1, 2).unflatten(2, model.map_grid)  # (1, n_features, grid_h, grid_w)
    if image_size is not None:
        saliency = F.interpolate(saliency, size=image_size, mode="bilinear", align_corners=False)
    scores, pictures = model.head.standardise(pooled)[0].cpu().numpy(), saliency[0].cpu().numpy()
    wanted = dict.fromkeys(ranked[:best] if best else (predicted, label) if classes is None else classes)
    features = model.features.tolist()
    evidence = {}
    for c in wanted:
        columns = sorted(model.assignment[c].nonzero().flatten().tolist(), key=lambda j: -scores[j])
        evidence[c] = tuple(Evidence(j, features[j], float(scores[j]), pictures[j]) for j in columns)
    return Explanation(index, label, predicted, values, evidence)


def compare_classes(model: QpmModel, first: int, second: int) -> ClassComparison:
    """Which features two classes share, and which tell them apart.

    Raises:
        UsageError: the head of the model is not binary.
    """
    _require_binary(model)
    a, b = model.assignment[first], model.assignment[second]
    columns = [tuple(mask.nonzero().flatten().tolist()) for mask in (a & b, a & ~b, b & ~a)]
    return ClassComparison(first, second, *columns)


def nearest_classes(model: QpmModel, to: int, n: int = 3) -> list[int]:
    """The classes that share the most features with class `to`, most first; ties by class number.

    Raises:
        UsageError: the head of the model is not binary.
    """
    _require_binary(model)
    shared = (model.assignment.int() @ model.assignment[to].int()).tolist()
    others = [c for c in range(model.n_classes) if c != to]
    return sorted(others, key=lambda c: -shared[c])[:n]


def _require_binary(model: Classifier) -> None:
    """Refuse signed weights: with them two classes may share a feature and still be told apart by it."""
    if not isinstance(model, QpmModel):
        raise UsageError(
            f"an explanation of a model of kind {model.kind}",
            "a QPM model, whose classes are sums of a few features",
            "explain a model that `finetune` or `assigned_model` made",
        )
