"""Max pooling: does a model still decide well by the peaks of its maps (docs/explanation/method.md#max-pooling)?"""

from tuner.base.metric import PLACES
from tuner.qpm.metrics.kinds import PredictionMetric, Predictions


def max_pooling(said: Predictions) -> float | None:
    """Accuracy by the peaks of the maps over accuracy as pooled; None where the latter is 0."""
    by_pooled, by_peaks = (
        float((logits.argmax(1) == said.labels).double().mean()) for logits in (said.logits, said.at_peaks)
    )
    return by_peaks / by_pooled if by_pooled else None


METRICS = (
    PredictionMetric(
        name="max_pooling",
        heading="max_pooling",
        help="accuracy with the peak of each map in the place of its pooled value, relative to accuracy",
        high=200.0,
        needs=(PLACES,),
        formula="accuracy with x[n, j] = max over patches of M[n, j], over accuracy",
        source="docs/explanation/method.md#max-pooling",
        function=max_pooling,
    ),
)
