"""The losses against loops written from docs/explanation/method.md#losses, values and gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tuner.errors import UsageError
from tuner.qpm.classifier import Activations
from tuner.qpm.losses import diversity_loss, loss_terms
from tuner.qpm.settings import FinetuneConfig, TrainingConfig
from tuner.recipe import load_recipe

LABELS = torch.tensor([0, 1, 2, 0, 1])


def draw(seed: int, n: int = 5, p: int = 6, width: int = 7, n_classes: int = 3) -> tuple[Activations, Tensor]:
    g = torch.Generator().manual_seed(seed)
    maps = torch.randn(n, p, width, generator=g, dtype=torch.float64).relu().requires_grad_()
    weight = torch.randn(n_classes, width, generator=g, dtype=torch.float64).requires_grad_()
    pooled = maps.mean(1) * (torch.rand(n, width, generator=g) > 0.2) / 0.8  # as after dropout
    return Activations(maps, pooled, pooled @ weight.T), weight


def naive_diversity(activations: Activations, weight: Tensor) -> Tensor:
    maps, pooled, logits = activations
    n, p, width = maps.shape
    total = maps.new_zeros(())
    for b in range(n):
        row = weight[int(logits[b].argmax())]
        w = [row[j].abs() / (row.square().sum().sqrt() + 1e-5) for j in range(width)]
        top = torch.clamp(pooled[b].max(), min=1e-6)
        softmax = [maps[b, :, j].exp() / maps[b, :, j].exp().sum() for j in range(width)]
        for position in range(p):
            total = total + torch.stack([w[j] * pooled[b, j] / top * softmax[j][position] for j in range(width)]).max()
    return -total / n


@pytest.mark.parametrize("seed", range(4))
def test_diversity_equals_the_formula_in_value_and_gradient(seed: int) -> None:
    gradients, values = [], []
    for loss in (diversity_loss, naive_diversity):
        activations, weight = draw(seed)
        value = loss(activations, weight)
        leaves = [activations.maps, weight]
        gradients.append(torch.autograd.grad(value, leaves))
        values.append(value)
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_diversity_of_a_dead_image_is_zero_and_has_a_gradient() -> None:
    maps = torch.zeros(2, 4, 3, requires_grad=True)
    weight = torch.ones(2, 3, requires_grad=True)
    pooled = maps.mean(1)
    loss = diversity_loss(Activations(maps, pooled, pooled @ weight.T), weight)
    (gradient,) = torch.autograd.grad(loss, maps)
    assert loss == 0
    assert torch.isfinite(gradient).all()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 6))
def test_diversity_behind_a_binary_head_is_bounded_by_sqrt_k(seed: int, k: int) -> None:
    activations, _ = draw(seed)
    weight = torch.zeros(4, 7, dtype=torch.float64)
    for row in weight:
        row[torch.randperm(7, generator=torch.Generator().manual_seed(seed))[:k]] = 1.0
    pooled = activations.maps.mean(1)
    loss = diversity_loss(Activations(activations.maps, pooled, pooled @ weight.T), weight).detach()
    assert -math.sqrt(k) - 1e-9 <= float(loss) <= 0


def test_disjoint_features_are_more_diverse_than_equal_ones() -> None:
    apart = torch.zeros(1, 4, 2)
    apart[0, 0, 0] = apart[0, 3, 1] = 5.0
    same = torch.zeros(1, 4, 2)
    same[0, 0, :] = 5.0
    weight = torch.ones(1, 2)
    losses = [diversity_loss(Activations(m, m.mean(1), m.mean(1) @ weight.T), weight) for m in (apart, same)]
    assert losses[0] < losses[1]


def test_terms_of_weight_zero_are_not_there() -> None:
    activations, weight = draw(0)
    assert set(loss_terms(activations, LABELS, weight, TrainingConfig(diversity=0.0))) == {"cross_entropy"}
    terms = loss_terms(activations, LABELS, weight, TrainingConfig(diversity=0.5, l1=6.0))
    assert set(terms) == {"cross_entropy", "diversity", "l1"}
    expected = [-torch.log_softmax(activations.logits[i], 0)[int(LABELS[i])] for i in range(5)]
    torch.testing.assert_close(terms["cross_entropy"], torch.stack(expected).mean())
    torch.testing.assert_close(terms["diversity"], 0.5 * naive_diversity(activations, weight))
    values = [abs(v) for v in activations.maps.flatten().tolist()]
    assert float(terms["l1"].detach()) == pytest.approx(6.0 * sum(values) / len(values))


def test_l1_of_maps_and_of_features_are_one_number_only_where_x_is_the_mean_of_its_map() -> None:
    activations, weight = draw(1)
    config = TrainingConfig(diversity=0.0, l1=5.0, l1_vector=1.0)
    mean, largest = (activations._replace(pooled=x) for x in (activations.maps.mean(1), activations.maps.amax(1)))
    both = loss_terms(mean, LABELS, weight, config)
    one_knob = loss_terms(mean, LABELS, weight, TrainingConfig(diversity=0.0, l1=6.0))
    torch.testing.assert_close(both["l1"] + both["l1_vector"], one_knob["l1"])
    of_max = loss_terms(largest, LABELS, weight, config)["l1_vector"]
    values = [max(activations.maps[b, :, j].tolist()) for b in range(5) for j in range(7)]
    assert float(of_max.detach()) == pytest.approx(sum(values) / len(values))
    assert of_max > 2 * both["l1_vector"]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_grounding_equals_the_formula(sign: float) -> None:
    activations, _ = draw(2)
    pooled = sign * activations.pooled
    pooled[4] *= 1e-4  # a nearly dead image: its largest value is below the floor
    table = torch.tensor([[1, 1, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0, 0], [1] * 7], dtype=torch.float64)
    total = 0.0
    for x, label in zip(pooled.tolist(), LABELS.tolist(), strict=True):
        row = table[label].tolist()
        own = [x[j] for j in range(7) if row[j] == 1]
        others = [x[j] for j in range(7) if row[j] == 0]
        outside = 2 * sum(others) / len(others) if others else 0.0
        total += (outside - sum(own) / len(own)) / max(*map(abs, x), 0.01)
    terms = loss_terms(
        activations._replace(pooled=pooled), LABELS, table, FinetuneConfig(diversity=0.0, l1=0.0, grounding=0.3)
    )
    assert float(terms["grounding"].detach()) == pytest.approx(0.3 * total / 5)


def test_the_dense_stage_has_no_grounding() -> None:
    with pytest.raises(UsageError, match=r"dense\.grounding"):
        load_recipe("digits", ["dense.grounding=1"])
    assert load_recipe("digits", ["finetune.grounding=1"]).finetune.grounding == 1
