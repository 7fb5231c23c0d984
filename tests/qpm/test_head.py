"""The binary head against its formula, loop by loop."""

import torch

from tuner.qpm.head import BinaryHead


def test_logit_is_the_sum_of_the_class_features_z_scores() -> None:
    head = BinaryHead(3, 4).double()
    head.assignment[:] = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=torch.bool)
    head.mean[:] = torch.tensor([0.5, 1.0, 1.5, 2.0])
    head.std[:] = torch.tensor([1.0, 0.5, 0.0, 2.0])  # a deviation of zero is floored at 1e-6
    pooled = torch.tensor([[0.1, 0.2, 1.5, 0.4], [1.0, 2.0, 1.500001, 4.0]], dtype=torch.float64)
    logits = head(pooled)
    for n in range(2):
        for c in range(3):
            expected = 0.0
            for j in range(4):
                if head.assignment[c, j]:
                    z = float(pooled[n, j] - head.mean[j]) / max(float(head.std[j]), 1e-6)
                    expected += z
            assert abs(float(logits[n, c]) - expected) < 1e-9


def test_everything_in_it_is_frozen() -> None:
    assert list(BinaryHead(3, 4).parameters()) == []
