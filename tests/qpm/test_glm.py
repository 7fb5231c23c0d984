"""The regularisation path: its minimisers are scikit-learn's, and hold the optimality condition, column by column."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from tuner.errors import InfeasibleError
from tuner.qpm.glm.path import end_of_path, largest_strength, ordinary_path, select_features
from tuner.qpm.glm.penalty import ElasticNet
from tuner.qpm.glm.problem import Problem
from tuner.qpm.glm.solver import minimise
from tuner.qpm.settings import PathConfig, SlddConfig

N, N_FEATURES, N_CLASSES = 90, 12, 4


def make_problem(seed: int = 0) -> Problem:
    """Features of four classes, some of them alike, most of them noise."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(N) % N_CLASSES
    x = torch.randn(N, N_FEATURES, generator=draw, dtype=torch.float64)
    x[:, :5] += 1.5 * torch.randn(N_CLASSES, 5, generator=draw, dtype=torch.float64)[labels]
    x[:, 5] = x[:, 0] + 0.1 * x[:, 5]
    return Problem.of((x - x.mean(0)) / x.std(0, correction=0), labels, N_CLASSES)


def solved(problem: Problem, penalty: ElasticNet, tolerance: float = 1e-6) -> Tensor:
    found = minimise(problem, penalty, problem.null_model(), tolerance=tolerance, most_steps=5000)
    assert found.converged
    return found.theta


def objective(problem: Problem, penalty: ElasticNet, theta: Tensor) -> float:
    return float(problem.loss(problem.inputs @ theta.T) + penalty.value(theta))


@pytest.mark.parametrize("share", [0.3, 0.03])
def test_the_minimum_is_that_of_scikit_learn(share: float) -> None:
    problem = make_problem()
    penalty = ElasticNet(1.0, 0.8, grouped=False)
    penalty = ElasticNet(share * largest_strength(problem, penalty), 0.8, grouped=False)
    other = LogisticRegression(
        solver="saga", l1_ratio=penalty.alpha, C=1 / (N * penalty.strength), tol=1e-7, max_iter=5000, random_state=0
    )
    other.fit(problem.inputs[:, :-1].numpy(), problem.labels.numpy())
    theirs = torch.as_tensor(np.concatenate([other.coef_, other.intercept_[:, None]], axis=1))
    ours = solved(problem, penalty)
    assert objective(problem, penalty, ours) == pytest.approx(objective(problem, penalty, theirs), rel=1e-5)
    np.testing.assert_allclose(ours[:, :-1], theirs[:, :-1], atol=1e-3)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_the_grouped_minimum_holds_the_optimality_condition_of_every_column(share: float) -> None:
    problem = make_problem()
    alpha = 0.8
    strength = share * largest_strength(problem, ElasticNet(1.0, alpha, grouped=True))
    theta = solved(problem, ElasticNet(strength, alpha, grouped=True)).requires_grad_()
    torch.nn.functional.cross_entropy(problem.inputs @ theta.T, problem.labels).backward()
    weight, gradient = theta.detach()[:, :-1], theta.grad
    zero = []
    for j in range(N_FEATURES):
        size = float(weight[:, j].norm())
        zero.append(size == 0)
        if size == 0:
            assert float(gradient[:, j].norm()) <= strength * alpha + 1e-6
        else:
            pull = strength * (alpha * weight[:, j] / size + (1 - alpha) * weight[:, j])
            np.testing.assert_allclose(gradient[:, j], -pull, atol=2e-6)
    np.testing.assert_allclose(gradient[:, -1], 0.0, atol=2e-6)
    assert 0 < sum(zero) < N_FEATURES


def test_a_violation_is_measured_as_it_is_defined() -> None:
    """Any model but the minimum has one, and a step away from the minimum one that grows."""
    problem = make_problem()
    for grouped in (False, True):
        penalty = ElasticNet(0.05, 0.8, grouped=grouped)
        best = solved(problem, penalty, 1e-9)
        away = [best + size * torch.ones_like(best) for size in (0.0, 1e-3, 1e-1)]
        found = [penalty.violation(theta, problem.gradient(problem.inputs @ theta.T)) for theta in away]
        assert found[0] <= 1e-9 < found[1] < found[2]


def test_selection_is_the_modified_proximal_path_walked_from_the_top_in_every_round() -> None:
    """By the book: each round walks from the first lambda with the chosen features and admits the strongest new one."""
    problem, config = make_problem(), PathConfig(tolerance=1e-5, select_lambdas=12)
    largest = largest_strength(problem, ElasticNet(1.0, config.select_alpha, grouped=True))
    lambdas = largest * np.geomspace(config.select_from, config.select_to, config.select_lambdas)
    chosen: list[int] = []
    while len(chosen) < 8:
        for strength in lambdas:
            penalty = ElasticNet(float(strength), config.select_alpha, grouped=True)
            part = problem.only(torch.tensor(chosen, dtype=torch.int64))
            best = minimise(part, penalty, part.null_model(), tolerance=1e-5 * float(strength), most_steps=5000)
            pull = problem.gradient(part.inputs @ best.theta.T)[:, :-1].norm(dim=0)
            pull[chosen] = 0.0
            if pull.max() > penalty.threshold:
                chosen.append(int(pull.argmax()))
                break
    found = select_features(problem, 8, config)
    assert list(found.order) == chosen
    assert len(set(found.strengths)) > 2
    assert found.unfinished == 0


def test_features_that_tell_nothing_are_never_selected() -> None:
    problem = make_problem()
    inputs = problem.inputs.clone()
    inputs[:, 8:12] = 0.0
    with pytest.raises(InfeasibleError, match="the path ends with 8 features"):
        select_features(Problem(inputs, problem.labels, N_CLASSES), 10, PathConfig(select_lambdas=5, most_steps=100))


def test_the_ordinary_path_goes_from_nothing_to_many() -> None:
    problem, config = make_problem(), SlddConfig(path_lambdas=15, tolerance=1e-4)
    points = list(ordinary_path(problem, config))
    density = [point.per_class for point in points]
    assert density[0] == 0
    assert 3 < density[-1] < N_FEATURES
    assert [point.strength for point in points] == sorted((point.strength for point in points), reverse=True)
    assert all(point.minimum.converged for point in points)
    end = end_of_path(problem, config)
    torch.testing.assert_close(end.minimum.theta, points[-1].minimum.theta, rtol=0.01, atol=0.01)
