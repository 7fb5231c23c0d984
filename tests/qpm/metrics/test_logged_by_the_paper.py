"""The metrics that the paper's code logs beside its table, against loops and at their extremes."""

import math

import pytest
import torch
from torch import Tensor

from tuner.qpm.metrics.contextualisation import patch_cls_cosine
from tuner.qpm.metrics.contribution import top_share
from tuner.qpm.metrics.kinds import ImageBatch, Predictions
from tuner.qpm.metrics.max_pooling import max_pooling
from tuner.qpm.metrics.neighbours import CORNERS, SIDES, neighbour_consistency
from tuner.qpm.metrics.plausibility import METRICS as OF_PLAUSIBILITY
from tuner.qpm.metrics.plausibility import ratio_of_maxima
from tuner.qpm.metrics.tuning_change import feature_cosine, linear_cka


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_plausibility_by_maxima() -> None:
    grid, n, width = (4, 5), 6, 3
    maps, weight = rand(n, 20, width).relu(), torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]]).double()
    maps[1, :, 2] = 0.0  # a feature that fires nowhere
    masks = (rand(n, *grid, seed=2) > 1.2).to(torch.uint8) * 200
    predicted = torch.tensor([0, 1, 2, 3, 0, 1])
    inputs, logits = maps.mean(1), maps.mean(1) @ weight.T
    images = ImageBatch(maps, predicted, predicted, weight, masks, logits, inputs, grid, maps, None)
    got = {metric.name: metric.function(images) for metric in OF_PLAUSIBILITY}
    for b in range(n):
        near = [
            any(
                int(masks[b, r, c])
                for r in range(i - 1, i + 2)
                for c in range(j - 1, j + 2)
                if r in range(4) and c in range(5)
            )
            for i in range(4)
            for j in range(5)
        ]
        used = [j for j in range(width) if weight[predicted[b], j]]
        g = [sum(float(maps[b, p, j]) for j in used) for p in range(20)]
        g = [value - min(g) for value in g]
        peak = max([value for value, inside in zip(g, near, strict=True) if inside], default=0.0) / max(g)
        ratios = []
        for j in used:
            values = maps[b, :, j].tolist()
            on = max([value for value, inside in zip(values, near, strict=True) if inside], default=0.0)
            ratios.append(on / max(values) if max(values) > 0 else 0.0)
        assert float(got["plausibility_peak"][b]) == pytest.approx(peak)
        assert float(got["plausibility_features"][b]) == pytest.approx(sum(ratios) / len(ratios))


def test_a_map_below_zero_has_no_peak() -> None:
    assert ratio_of_maxima(-torch.ones(1, 4), torch.ones(1, 4)).tolist() == [0.0]


def test_top_share() -> None:
    got = top_share(torch.tensor([[3.0, -1.0, 0.0], [2.0, 2.0, 2.0], [0.0, 0.0, -5.0], [0.0, 0.0, 0.0]]))
    assert got[:3].tolist() == pytest.approx([0.75, 1 / 3, 1.0])
    assert math.isnan(got[3])


def test_max_pooling_is_relative_to_the_accuracy() -> None:
    labels = torch.tensor([0, 1, 0, 1])
    right, half = torch.eye(2)[labels], torch.eye(2)[torch.zeros(4, dtype=torch.int64)]
    assert max_pooling(Predictions(right, labels, 2, half)) == 0.5
    assert max_pooling(Predictions(half, labels, 2, right)) == 2.0
    assert max_pooling(Predictions(1 - right, labels, 2, right)) is None


@pytest.mark.parametrize(("steps", "reach"), [(SIDES, 1), (SIDES + CORNERS, 2)])
def test_neighbour_consistency(steps: tuple[tuple[int, int], ...], reach: int) -> None:
    """Neighbours by distance: sides have a squared distance of 1, corners of 2."""
    maps, grid = rand(3, 12, 5), (3, 4)
    maps[0, 5] = 0.0
    maps[2] = 0.0
    maps[2, 0] = 1.0  # alone
    got = neighbour_consistency(maps, grid, steps)
    for b in range(2):
        cosines = []
        for p in range(12):
            for q in range(12):
                apart = (p // 4 - q // 4) ** 2 + (p % 4 - q % 4) ** 2
                if 0 < apart <= reach and maps[b, p].any() and maps[b, q].any():
                    cosines.append(float(torch.cosine_similarity(maps[b, p], maps[b, q], dim=0)))
        assert float(got[b]) == pytest.approx(sum(cosines) / len(cosines))
    assert math.isnan(got[2])
    assert neighbour_consistency(torch.ones(1, 12, 5), grid, steps).item() == pytest.approx(1.0)


def test_patch_cls_cosine() -> None:
    cls = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    tokens = torch.tensor([[[3.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, -1.0]]])
    assert patch_cls_cosine(tokens.half(), cls.half()).tolist() == pytest.approx([0.5, (2**-0.5 - 1) / 2], abs=1e-3)


def test_cosine_and_cka_of_features() -> None:
    x = rand(40, 6)
    turned = torch.linalg.qr(rand(6, 6, seed=1)).Q
    assert feature_cosine(x, 3 * x) == pytest.approx(1.0)
    assert linear_cka(x, 5 * x @ turned + 2) == pytest.approx(1.0)  # blind to rotation, scale and shift
    assert feature_cosine(x, x @ turned) < 0.9
    y = rand(40, 6, seed=2)
    assert 0 < linear_cka(x, y) < 0.5
    kernels = [a - a.mean(0) - a.mean(1, keepdim=True) + a.mean() for a in (x @ x.T, y @ y.T)]
    expected = (kernels[0] * kernels[1]).sum() / (kernels[0].norm() * kernels[1].norm())
    assert linear_cka(x, y) == pytest.approx(float(expected))
    assert linear_cka(x, torch.ones(40, 6)) is None
    assert feature_cosine(x[:, :0], x[:, :0]) is None
