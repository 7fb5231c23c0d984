"""Minimises cross-entropy + elastic net by accelerated proximal gradient steps (docs/explanation/method.md#glm-path).

All images enter every step, so nothing is drawn at random; the minimiser is unique, so the method to find it is free.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tuner.base.pulse import beat
from tuner.qpm.glm.penalty import ElasticNet
from tuner.qpm.glm.problem import Problem

CHECK_EVERY = 10  # steps
_LONGEST = 1e12  # of the curvature: beyond it a step moves nothing


@dataclass(frozen=True)
class Minimum:
    """A model at the end of its steps.

    Attributes:
        theta: (n_classes, n_features + 1) float64; the last column is the bias.
        steps: taken; each looks at all images once.
        converged: whether the optimality condition holds within the tolerance.
        curvature: of the last step, to start the next problem of a path with.
    """

    theta: Tensor
    steps: int
    converged: bool
    curvature: float

    @property
    def weight(self) -> Tensor:
        """(n_classes, n_features)."""
        return self.theta[:, :-1]

    @property
    def bias(self) -> Tensor:
        """(n_classes,)."""
        return self.theta[:, -1]


@torch.no_grad()
def minimise(
    problem: Problem, penalty: ElasticNet, start: Tensor, *, tolerance: float, most_steps: int, curvature: float = 0.5
) -> Minimum:
    """The minimiser of mean cross-entropy + penalty.

    Accelerated steps (FISTA) whose length follows the curvature met, begun anew where momentum points uphill.

    Args:
        problem: features and classes.
        penalty: elastic net.
        start: theta to begin from, (n_classes, n_features + 1).
        tolerance: violation of the optimality condition at which to stop.
        most_steps: where to stop without convergence.
        curvature: first guess of the curvature; 0.5 is that of a single standardised feature.
    """
    inputs = problem.inputs
    theta, logits = start, inputs @ start.T
    ahead, ahead_logits, momentum = theta, logits, 1.0
    for step in range(most_steps):
        if step % CHECK_EVERY == 0:
            beat()
            if penalty.violation(theta, problem.gradient(logits)) <= tolerance:
                return Minimum(theta, step, True, curvature)
        loss, slope = problem.loss(ahead_logits), problem.gradient(ahead_logits)
        while True:
            new = penalty.step(ahead - slope / curvature, 1.0 / curvature)
            new_logits, move = inputs @ new.T, new - ahead
            bound = loss + (slope * move).sum() + 0.5 * curvature * move.square().sum()
            if problem.loss(new_logits) <= bound + 1e-12 * loss.abs() or curvature > _LONGEST:
                break
            curvature *= 2.0
        if ((ahead - new) * (new - theta)).sum() > 0:
            momentum, curvature = 1.0, 0.7 * curvature  # uphill: forget the momentum, try longer steps
        following = 0.5 * (1.0 + (1.0 + 4.0 * momentum**2) ** 0.5)
        beta = (momentum - 1.0) / following
        ahead, ahead_logits = new + beta * (new - theta), new_logits + beta * (new_logits - logits)
        theta, logits, momentum = new, new_logits, following
    converged = penalty.violation(theta, problem.gradient(logits)) <= tolerance
    return Minimum(theta, most_steps, converged, curvature)
