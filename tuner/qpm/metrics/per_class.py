"""Metrics that give every class the same weight, however many images it has
(docs/explanation/method.md#balanced)."""

from typing import TYPE_CHECKING, NamedTuple

from tuner.qpm.metrics.kinds import PredictionMetric, Predictions

if TYPE_CHECKING:
    from torch import Tensor


class ClassCounts(NamedTuple):
    """Numbers of images of each class, all (n_classes,) int64."""

    right: "Tensor"  # of the class and predicted so
    images: "Tensor"  # of the class
    predicted: "Tensor"  # predicted to be of it


def class_counts(predicted: "Tensor", labels: "Tensor", n_classes: int) -> ClassCounts:
    """How many images of each class there are, and how many were found.

    Args:
        predicted: (n,) int64.
        labels: (n,) int64.
        n_classes: number of classes.
    """
    right = labels[predicted == labels].bincount(minlength=n_classes)
    return ClassCounts(right, labels.bincount(minlength=n_classes), predicted.bincount(minlength=n_classes))


def balanced_accuracy(counts: ClassCounts) -> float:
    """Mean over classes with images of the share of them that is found."""
    there = counts.images > 0
    return float((counts.right[there] / counts.images[there]).double().mean())


def macro_f1(counts: ClassCounts) -> float:
    """Mean of 2 right / (images + predicted) over classes that have images or are predicted."""
    total = counts.images + counts.predicted
    there = total > 0
    return float((2 * counts.right[there] / total[there]).double().mean())


def _counts(seen: Predictions) -> ClassCounts:
    return class_counts(seen.logits.argmax(1), seen.labels, seen.n_classes)


METRICS = (
    PredictionMetric(
        name="balanced_accuracy",
        heading="balanced",
        help="accuracy with equal weight for every class",
        formula="mean over classes with images of the share of them that is found",
        source="docs/explanation/method.md#balanced",
        function=lambda seen: balanced_accuracy(_counts(seen)),
    ),
    PredictionMetric(
        name="macro_f1",
        heading="macro_f1",
        help="mean F1 of the classes",
        formula="mean over classes of 2 right / (images of it + predicted as it)",
        source="docs/explanation/method.md#balanced",
        function=lambda seen: macro_f1(_counts(seen)),
    ),
)
