"""What fine-tuning changes: are the selected features still those that the program chose
(docs/explanation/method.md#tuning-change)?"""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import ChangeMetric

if TYPE_CHECKING:
    from torch import Tensor


def feature_cosine(before: "Tensor", after: "Tensor") -> float | None:
    """Mean over features of the cosine of their values over the images; None without features.

    Args:
        before: (n, n_used).
        after: (n, n_used).
    """
    import torch.nn.functional as F

    return float(F.cosine_similarity(before.double(), after.double(), dim=0).mean()) if before.shape[1] else None


def linear_cka(before: "Tensor", after: "Tensor") -> float | None:
    """Linear centred kernel alignment, from 0 to 1; None where one side does not vary.

    Kornblith, Norouzi, Lee & Hinton, "Similarity of Neural Network Representations Revisited", ICML 2019.

    Args:
        before: (n, n_used).
        after: (n, n_used), of any order and scale.
    """
    first, second = (features.double() - features.double().mean(0) for features in (before, after))
    scale = (first.T @ first).norm() * (second.T @ second).norm()
    return float((second.T @ first).square().sum() / scale) if scale > 0 else None


METRICS = (
    ChangeMetric(
        name="tuning_cosine",
        heading="tuning_cosine",
        help="likeness of a selected feature's values before and after fine-tuning",
        low=-100.0,
        no_goal="it says what fine-tuning does, not whether that is good",
        formula="mean over selected features of the cosine of x[:, j] in the dense and in the tuned model",
        source="docs/explanation/method.md#tuning-change",
        function=lambda seen: feature_cosine(seen.before, seen.after),
    ),
    ChangeMetric(
        name="tuning_cka",
        heading="tuning_cka",
        help="the same of all selected features together (linear CKA)",
        no_goal="it says what fine-tuning does, not whether that is good",
        formula="||Y'X||² / (||X'X|| ||Y'Y||), X and Y the centred features before and after, Frobenius norms",
        source="docs/explanation/method.md#tuning-change",
        function=lambda seen: linear_cka(seen.before, seen.after),
    ),
)
