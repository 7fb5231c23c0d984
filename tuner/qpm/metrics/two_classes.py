"""Metrics of a question with two answers, as medicine asks it: the second class is the positive one
(docs/explanation/method.md#two-classes)."""

from typing import TYPE_CHECKING

from tuner.base.metric import TWO_CLASSES
from tuner.qpm.metrics.kinds import PredictionMetric, Predictions

if TYPE_CHECKING:
    from torch import Tensor


def auroc(score: "Tensor", positive: "Tensor") -> float | None:
    """Share of pairs of a positive and a negative image in which the positive one scores higher; equal scores: half.

    None where one of the two is missing.

    Args:
        score: (n,), higher for the positive class.
        positive: (n,) bool.
    """
    from scipy.stats import rankdata

    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not (n_positive and n_negative):
        return None
    ranks = rankdata(score.double().cpu().numpy())[positive.cpu().numpy()]
    return float((ranks.sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def _auroc(seen: Predictions) -> float | None:
    return auroc(seen.logits[:, 1] - seen.logits[:, 0], seen.labels == 1)


def _recall(seen: Predictions, label: int) -> float | None:
    """Share of the images of a class that are predicted so; None where there is none."""
    of_it = seen.labels == label
    return float((seen.logits.argmax(1)[of_it] == label).double().mean()) if of_it.any() else None


METRICS = (
    PredictionMetric(
        name="auroc",
        heading="auroc",
        help="pairs of a positive and a negative image in the right order",
        needs=(TWO_CLASSES,),
        formula="share of pairs with logit[1] - logit[0] larger for the positive image; equal ones count half",
        source="docs/explanation/method.md#two-classes",
        function=_auroc,
    ),
    PredictionMetric(
        name="sensitivity",
        heading="sensitivity",
        help="images of the second class that are found",
        needs=(TWO_CLASSES,),
        formula="share of images of the second class that are predicted so",
        source="docs/explanation/method.md#two-classes",
        function=lambda seen: _recall(seen, 1),
    ),
    PredictionMetric(
        name="specificity",
        heading="specificity",
        help="images of the first class that are left alone",
        needs=(TWO_CLASSES,),
        formula="share of images of the first class that are predicted so",
        source="docs/explanation/method.md#two-classes",
        function=lambda seen: _recall(seen, 0),
    ),
)
