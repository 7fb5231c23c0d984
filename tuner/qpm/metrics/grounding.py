"""Structural grounding: do classes that are alike in reality share features (METHOD 6.8)?"""

import torch
import torch.nn.functional as F
from torch import Tensor

N_PAIRS = 25


def structural_grounding(weight: Tensor, class_attributes: Tensor) -> float | None:
    """Over the 25 pairs of classes most alike by attributes: sum of head cosines / sum of attribute cosines.

    None where there is no pair, or no two classes have anything in common.

    Args:
        weight: head weights, (n_classes, width).
        class_attributes: continuous attributes, (n_classes, n_attributes).
    """
    n_classes = len(weight)
    first, second = torch.triu_indices(n_classes, n_classes, offset=1, device=weight.device)
    truth = _cosines(class_attributes)[first, second]
    value, pair = truth.topk(min(N_PAIRS, len(truth)))
    if len(truth) == 0 or value.sum() <= 0:
        return None
    model = _cosines(weight)[first[pair], second[pair]]
    return float(model.sum() / value.sum())


def _cosines(rows: Tensor) -> Tensor:
    unit = F.normalize(rows.float(), dim=1, eps=1e-8)
    return unit @ unit.T
