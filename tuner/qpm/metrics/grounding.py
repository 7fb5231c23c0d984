"""Structural grounding: do classes that are alike in reality share features
(docs/explanation/method.md#structural-grounding)?"""

from typing import TYPE_CHECKING

from tuner.base.metric import CLASS_ATTRIBUTES
from tuner.qpm.metrics.kinds import Head, HeadMetric

if TYPE_CHECKING:
    from torch import Tensor

N_PAIRS = 25


def structural_grounding(weight: "Tensor", class_attributes: "Tensor") -> float | None:
    """Over the 25 pairs of classes most alike by attributes: sum of head cosines / sum of attribute cosines.

    None where there is no pair, or no two classes have anything in common.

    Args:
        weight: head weights, (n_classes, width).
        class_attributes: continuous attributes, (n_classes, n_attributes).
    """
    import torch

    n_classes = len(weight)
    first, second = torch.triu_indices(n_classes, n_classes, offset=1, device=weight.device)
    truth = _cosines(class_attributes)[first, second]
    value, pair = truth.topk(min(N_PAIRS, len(truth)))
    if len(truth) == 0 or value.sum() <= 0:
        return None
    model = _cosines(weight)[first[pair], second[pair]]
    return float(model.sum() / value.sum())


def _cosines(rows: "Tensor") -> "Tensor":
    import torch.nn.functional as F

    unit = F.normalize(rows.float(), dim=1, eps=1e-8)
    return unit @ unit.T


def _measure(head: Head) -> float | None:
    return None if head.class_attributes is None else structural_grounding(head.weight, head.class_attributes)


METRICS = (
    HeadMetric(
        name="structural_grounding",
        heading="structural_grounding",
        help="do classes alike by attributes share features",
        needs=(CLASS_ATTRIBUTES,),
        formula="sum of head cosines / sum of attribute cosines, over the 25 pairs of classes most alike by attributes",
        source="docs/explanation/method.md#structural-grounding",
        function=_measure,
    ),
)
