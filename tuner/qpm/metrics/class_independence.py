"""Class-independence: how little a feature belongs to a single class
(docs/explanation/method.md#class-independence)."""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import FeatureMetric

if TYPE_CHECKING:
    from torch import Tensor


def class_independence(features: "Tensor", labels: "Tensor", n_classes: int) -> float:
    """1 - mean_j max_c (share of feature j's total, above its minimum, that falls into class c).

    Args:
        features: raw pooled features of train, (n, width).
        labels: true classes, (n,) int64.
        n_classes: number of classes.
    """
    above = features - features.amin(0)
    per_class = above.new_zeros(n_classes, features.shape[1]).index_add_(0, labels, above)
    share = per_class / above.sum(0).clamp(min=1e-8)
    return 1.0 - float(share.amax(0).mean())


METRICS = (
    FeatureMetric(
        name="class_independence",
        heading="class-ind.",
        help="how little a feature belongs to a single class",
        formula="1 - mean over features of max over classes of the class's share of x - min x",
        source="docs/explanation/method.md#class-independence",
        function=lambda train: class_independence(train.features, train.labels, train.n_classes),
    ),
)
