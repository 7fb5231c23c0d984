"""Iterated local search: removes part of the incumbent, refills it greedily with noise, and searches from there."""

from __future__ import annotations

import numpy as np

from tuner.qpm.program.primal.tabu import descend, greedy
from tuner.qpm.program.state import SolveState


def perturb(state: SolveState, rng: np.random.Generator) -> None:
    """Perturb the incumbent and search on from there, a few times.

    Args:
        state: keeps what is better.
        rng: draws the features that leave, noise and tenures.
    """
    options = state.options
    for _ in range(options.perturbations):
        if state.finished():
            return
        stay = rng.permutation(state.features)[int(options.perturbed_share * len(state.features)) :]
        changed = greedy(state.problem, rng, 2 * options.noise, keep=stay)
        found, _ = descend(state.problem, changed, rng, options.patience, state.out_of_time, options)
        state.offer(found, "perturbation")
