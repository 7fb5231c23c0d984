"""The first incumbents: a warm start improved by swaps, or tabu search from several greedy selections."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tuner.qpm.program.instance.arrays import Ints
from tuner.qpm.program.instance.checking import indices
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.primal.tabu import descend, greedy
from tuner.qpm.program.state import SolveState


def first_selections(state: SolveState, rng: np.random.Generator, warm_start: ArrayLike | None) -> None:
    """Offer selections to start from.

    Args:
        state: keeps the best.
        rng: draws noise and tenures.
        warm_start: candidate indices, any number; None: start from greedy selections.
    """
    problem, options = state.problem, state.options
    if warm_start is not None:
        first = to_size(problem, warm_start)
        state.offer(first, "warm start")
        state.offer(descend(problem, first, rng, 0, state.out_of_time, options)[0], "swaps")
        return
    first = greedy(problem)
    state.offer(first, "greedy")
    left = max(int(options.swap_work / problem.relevance.size), options.fewest_swaps)

    def enough() -> bool:
        nonlocal left
        left -= 1
        return left < 0 or state.out_of_time()

    for start in range(options.starts):
        if left <= 0 or state.out_of_time():
            return
        if start > 0:
            first = greedy(problem, rng, options.noise)
        state.offer(descend(problem, first, rng, options.patience, enough, options)[0], "swaps")


def to_size(problem: Problem, selection: ArrayLike) -> Ints:
    """Bring a selection of another size to n_features: keep the most valuable, fill up greedily.

    Args:
        problem: the instance.
        selection: candidate indices, any number.

    Raises:
        UsageError: for anything but such indices.
    """
    return greedy(problem, keep=np.unique(indices("warm_start", selection, problem.n_candidates)))
