"""The two walks over the regularisation path: one selects features, one finds sparse weights for them
(docs/explanation/method.md#glm-path)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuner.errors import InfeasibleError
from tuner.qpm.glm.penalty import ElasticNet
from tuner.qpm.glm.problem import Problem
from tuner.qpm.glm.solver import Minimum, minimise
from tuner.qpm.settings import PathConfig, SlddConfig

_NOTHING_LEFT = 1e-9  # of the largest gradient: no feature tells anything more


@dataclass(frozen=True)
class Selection:
    """The features that the grouped path chose.

    Attributes:
        order: their columns, the strongest first.
        strengths: the lambda at which each entered, as a share of the largest.
        steps: of the solver, together.
        unfinished: problems of the path that did not converge within their steps.
    """

    order: tuple[int, ...]
    strengths: tuple[float, ...]
    steps: int
    unfinished: int


@dataclass(frozen=True)
class PathPoint:
    """A model of the ordinary path.

    Attributes:
        strength: its lambda, as a share of the largest.
        minimum: the model.
    """

    strength: float
    minimum: Minimum

    @property
    def per_class(self) -> float:
        """Mean number of nonzero weights of a class."""
        return float((self.minimum.weight != 0).sum(1).double().mean())


@torch.no_grad()
def select_features(problem: Problem, n_features: int, config: PathConfig) -> Selection:
    """Choose features one by one: those selected stay, and each round admits the single strongest new one whose
    gradient is above the threshold, at the largest lambda where there is one.

    A round that begins at the lambda where the one before it ended finds what a walk from the top would: above it the
    model without the newest feature is still optimal.

    Raises:
        InfeasibleError: the features that are left tell nothing more, before there are `n_features`.
    """
    largest = largest_strength(problem, ElasticNet(1.0, config.select_alpha, grouped=True))
    shares = [*np.geomspace(config.select_from, config.select_to, config.select_lambdas).tolist(), 0.0]
    chosen: list[int] = []
    entered: list[float] = []
    best = Minimum(problem.null_model()[:, -1:], 0, True, 0.5)
    steps = unfinished = 0
    for share in shares:
        penalty = ElasticNet(largest * share, config.select_alpha, grouped=True)
        tolerance = config.tolerance * largest * (share or config.select_to)
        while True:
            columns = torch.tensor(chosen, dtype=torch.int64).to(problem.inputs.device)
            part = problem.only(columns)
            best = minimise(
                part,
                penalty,
                best.theta,
                tolerance=tolerance,
                most_steps=config.most_steps,
                curvature=best.curvature,
            )
            steps, unfinished = steps + best.steps, unfinished + (not best.converged)
            pull = problem.gradient(part.inputs @ best.theta.T)[:, :-1].norm(dim=0)
            pull.index_fill_(0, columns, 0.0)
            strongest = int(pull.argmax())
            if float(pull[strongest]) <= max(penalty.threshold, _NOTHING_LEFT * largest):
                break
            chosen.append(strongest)
            entered.append(share)
            if len(chosen) == n_features:
                return Selection(tuple(chosen), tuple(entered), steps, unfinished)
            new = best.theta.new_zeros(problem.n_classes, 1)
            theta = torch.cat([best.weight, new, best.theta[:, -1:]], dim=1)
            best = Minimum(theta, 0, True, best.curvature)
    raise InfeasibleError(
        f"the path ends with {len(chosen)} features: the others of {problem.n_features} tell nothing more",
        f"{n_features} features",
        "lower n_features, or widen the adapter",
    )


@torch.no_grad()
def ordinary_path(problem: Problem, config: SlddConfig) -> Iterator[PathPoint]:
    """Models from the sparsest to the densest, each begun at the one before it."""
    largest = largest_strength(problem, ElasticNet(1.0, config.path_alpha, grouped=False))
    best = Minimum(problem.null_model(), 0, True, 0.5)
    for share in np.geomspace(1.0, config.path_to, config.path_lambdas).tolist():
        best = _ordinary(problem, config, largest * share, best)
        yield PathPoint(share, best)


@torch.no_grad()
def end_of_path(problem: Problem, config: PathConfig) -> PathPoint:
    """The densest model of the ordinary path, without the walk: the minimum is unique."""
    largest = largest_strength(problem, ElasticNet(1.0, config.path_alpha, grouped=False))
    start = Minimum(problem.null_model(), 0, True, 0.5)
    return PathPoint(config.path_to, _ordinary(problem, config, largest * config.path_to, start))


def _ordinary(problem: Problem, config: PathConfig, strength: float, start: Minimum) -> Minimum:
    return minimise(
        problem,
        ElasticNet(strength, config.path_alpha, grouped=False),
        start.theta,
        tolerance=config.tolerance * strength,
        most_steps=config.most_steps,
        curvature=start.curvature,
    )


def largest_strength(problem: Problem, penalty: ElasticNet) -> float:
    """The smallest lambda at which the best model has no features."""
    null = problem.null_model()
    gradient: Tensor = problem.gradient(problem.inputs @ null.T)[:, :-1]
    return float(penalty.sizes(gradient).amax()) / penalty.alpha
