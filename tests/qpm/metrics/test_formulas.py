"""Every metric against loops written from docs/explanation/method.md#metrics, and at its extremes."""

import math

import pytest
import torch
from torch import Tensor

from tuner.qpm.metrics.alignment import attribute_alignment
from tuner.qpm.metrics.class_independence import class_independence
from tuner.qpm.metrics.compactness import features_per_class, used_features
from tuner.qpm.metrics.correlation import correlation
from tuner.qpm.metrics.grounding import structural_grounding
from tuner.qpm.metrics.plausibility import class_saliency, object_tokens, plausibility
from tuner.qpm.metrics.sid import sid
from tuner.qpm.metrics.table import INTERPRETABILITY, METRICS


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("dilated", [True, False])
def test_plausibility(dilated: bool) -> None:
    n, grid, width = 6, (4, 5), 3
    maps, weight = rand(n, 20, width).relu(), rand(n, width, seed=1)
    masks = (rand(n, *grid, seed=2) > 1).to(torch.uint8) * 200
    got = plausibility(class_saliency(maps, weight), object_tokens(masks, dilated=dilated))
    for b in range(n):
        g = [sum(float(weight[b, j] * maps[b, p, j]) for j in range(width)) for p in range(20)]
        g = [value - min(g) for value in g]
        inside = 0.0
        for p in range(20):
            row, column = divmod(p, 5)
            reach = 1 if dilated else 0
            near = [
                int(masks[b, r, c])
                for r in range(max(row - reach, 0), min(row + reach + 1, 4))
                for c in range(max(column - reach, 0), min(column + reach + 1, 5))
            ]
            inside += g[p] if max(near) > 0 else 0.0
        assert float(got[b]) == pytest.approx(inside / sum(g))


def test_plausibility_of_a_constant_map_is_zero_and_of_a_hit_one() -> None:
    mask = torch.tensor([[[255, 0], [0, 0]]], dtype=torch.uint8)
    tokens = object_tokens(mask, dilated=False)
    ones = torch.ones(1, 1)
    assert plausibility(class_saliency(torch.full((1, 4, 1), 3.0), ones), tokens).item() == 0.0
    hit = torch.tensor([1.0, 0, 0, 0]).reshape(1, 4, 1)
    assert plausibility(class_saliency(hit, ones), tokens).item() == 1.0


def naive_sid(maps: Tensor, row: Tensor) -> float:
    top = sorted(range(len(row)), key=lambda j: (-float(row[j]), j))[:5]
    softmax = []
    for j in top:
        scaled = maps[:, j] / max(float(maps[:, j].abs().mean()), 1e-5)
        softmax.append(scaled.exp() / scaled.exp().sum())
    return sum(max(float(s[p]) for s in softmax) for p in range(len(maps))) / 5


def test_sid() -> None:
    maps, weight = rand(7, 12, 9), rand(4, 9, seed=1)
    weight[2, 3:] = 0.0  # three nonzero weights: undefined there
    predicted = torch.tensor([0, 1, 2, 3, 2, 1, 0])
    got = sid(maps, weight, predicted)
    assert got.isnan().tolist() == [c == 2 for c in predicted.tolist()]
    got = got[~got.isnan()]
    expected = [naive_sid(maps[b], weight[c]) for b, c in enumerate(predicted.tolist()) if c != 2]
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64))


def test_sid_range_and_where_it_is_undefined() -> None:
    same = torch.full((1, 10, 6), 2.0)
    assert sid(same, torch.ones(1, 6), torch.tensor([0])).item() == pytest.approx(0.2)
    apart = torch.zeros(1, 400, 6)
    apart[0, range(6), range(6)] = 1.0  # divided by its mean, a spike of 400
    assert sid(apart, torch.ones(1, 6), torch.tensor([0])).item() == pytest.approx(1.0)
    assert sid(same[:, :, :4], torch.ones(1, 4), torch.tensor([0])).isnan().all()


def test_class_independence() -> None:
    x, labels = rand(40, 6), torch.arange(40) % 5
    expected = 0.0
    for j in range(6):
        g = x[:, j] - x[:, j].min()
        expected += max(float(g[labels == c].sum()) / max(float(g.sum()), 1e-8) for c in range(5)) / 6
    assert class_independence(x, labels, 5) == pytest.approx(1 - expected)
    own = torch.nn.functional.one_hot(labels, 5).double()
    assert class_independence(own, labels, 5) == pytest.approx(0.0)
    assert class_independence(1 - own, labels, 5) == pytest.approx(0.75)


def test_correlation() -> None:
    x = rand(30, 5).relu()
    similarity = [
        [
            0.0 if i == j else float(x[:, i] @ x[:, j]) / (float(x[:, i].norm()) * float(x[:, j].norm()))
            for j in range(5)
        ]
        for i in range(5)
    ]
    assert correlation(x) == pytest.approx(sum(max(row) for row in similarity) / 5)
    assert correlation(x[:, :1]) is None
    assert correlation(torch.stack([x[:, 0], 3 * x[:, 0]], 1)) == pytest.approx(1.0)


def test_structural_grounding() -> None:
    weight, attributes = rand(12, 8), rand(12, 20, seed=1).abs()
    cosine = torch.nn.functional.cosine_similarity
    entries = [
        (float(cosine(attributes[a], attributes[b], 0)), float(cosine(weight[a], weight[b], 0)))
        for a in range(12)
        for b in range(12)
        if a != b
    ]
    largest = sorted(entries, reverse=True)[:50]
    expected = sum(model for _, model in largest) / sum(truth for truth, _ in largest)
    assert structural_grounding(weight, attributes) == pytest.approx(expected, rel=1e-5)
    assert structural_grounding(attributes, attributes) == pytest.approx(1.0, rel=1e-6)
    assert structural_grounding(weight[:1], attributes[:1]) is None
    assert structural_grounding(weight, torch.eye(12)) is None


def test_attribute_alignment() -> None:
    x = rand(30, 4).abs()
    attributes = torch.randint(-1, 2, (30, 5), generator=torch.Generator().manual_seed(3), dtype=torch.int8)
    attributes[:, 2] = 1  # never absent: says nothing
    expected = 0.0
    for j in range(4):
        scores = []
        for a in (0, 1, 3, 4):
            there, not_there = x[attributes[:, a] == 1, j], x[attributes[:, a] == 0, j]
            above = float((x[:, j] - x[:, j].min()).mean())
            scores.append((float(there.mean()) - float(not_there.mean())) / max(above, 1e-10))
        expected += max(scores) / 4
    assert attribute_alignment(x, attributes) == pytest.approx(expected)
    assert attribute_alignment(x, attributes[:, 2:3]) is None


def test_compactness() -> None:
    weight = torch.tensor([[1.0, 0, 0, -2], [0, 0, 0, 3]])
    assert used_features(weight).tolist() == [True, False, False, True]
    assert features_per_class(weight) == 1.5


def test_the_table_names_each_metric_once_with_a_range() -> None:
    assert list(METRICS) == [metric.name for metric in METRICS.values()]
    assert set(INTERPRETABILITY) < set(METRICS)
    for metric in METRICS.values():
        assert metric.low < metric.high < math.inf
        assert metric.help
