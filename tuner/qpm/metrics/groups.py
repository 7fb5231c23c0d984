"""Accuracy on the worst group of images that belong together, such as those of one patient, camera or place
(docs/explanation/method.md#worst-group)."""

from typing import TYPE_CHECKING

from tuner.base.metric import GROUPS, LEAST_OF_A_GROUP
from tuner.qpm.metrics.kinds import PredictionMetric, Predictions

if TYPE_CHECKING:
    from torch import Tensor


def worst_group(right: "Tensor", together: "Tensor") -> float | None:
    """The lowest share of right predictions in a group of at least ten images; None with fewer than two such groups.

    Args:
        right: (n,) bool.
        together: (n,) int64, equal for images of one group.
    """
    _, group = together.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    sizes = group.bincount()
    counted = sizes >= LEAST_OF_A_GROUP
    if counted.sum() < 2:
        return None
    shares = group[right].bincount(minlength=len(sizes)) / sizes
    return float(shares[counted].min())


def _measure(seen: Predictions) -> float | None:
    return None if seen.together is None else worst_group(seen.logits.argmax(1) == seen.labels, seen.together)


METRICS = (
    PredictionMetric(
        name="worst_group",
        heading="worst_group",
        help="accuracy on the worst group of images that belong together",
        needs=(GROUPS,),
        no_goal="it is the lowest of noisy shares, and which groups are among the measured images differs by split",
        formula=f"lowest share of right predictions in a group of at least {LEAST_OF_A_GROUP} held-out images",
        source="docs/explanation/method.md#worst-group",
        function=_measure,
    ),
)
