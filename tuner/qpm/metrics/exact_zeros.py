"""Exact zeros: how often a feature is off altogether. It is the context of contrastiveness
(docs/explanation/method.md#contrastiveness).

A feature with many exact zeros has one narrow mode at 0, and so is contrastive whatever its other values are.
"""

from tuner.qpm.metrics.kinds import FeatureMetric, TrainFeatures


def exact_zeros(train: TrainFeatures) -> float:
    """Share of feature values over train that are exactly zero."""
    return float((train.features == 0).double().mean())


METRICS = (
    FeatureMetric(
        name="exact_zeros",
        heading="exact_zeros",
        help="feature values of exactly zero: context of contrastiveness",
        no_goal="it says how far contrastiveness can be believed",
        formula="share of x[n, j] = 0",
        source="docs/explanation/method.md#contrastiveness",
        function=exact_zeros,
    ),
)
