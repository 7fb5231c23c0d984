"""Swaps by the value with distinct rows: better where free values mislead, idle where they do not."""

import numpy as np
import pytest

from tests.qpm.program.brute import best_rows, random_problem
from tuner.qpm.program.improvement.refine import refine
from tuner.qpm.program.primal.tabu import descend, greedy
from tuner.qpm.program.state import SolveState


def started(problem):
    """A state whose incumbent is the best that swaps by free value find."""
    state = SolveState(problem, 60.0)
    state.offer(descend(problem, greedy(problem), np.random.default_rng(0), 0)[0], "swaps")
    return state


@pytest.mark.parametrize("seed", range(30))
def test_no_single_swap_is_left_that_helps(seed):
    problem = random_problem("duplicates", seed)
    state = started(problem)
    before = state.objective
    refine(state, tries=10**6)
    assert state.objective >= before
    inside = state.features.tolist()
    for leaving in inside:
        for entering in set(range(problem.n_candidates)) - set(inside):
            swapped = tuple(sorted({*inside, entering} - {leaving}))
            assert best_rows(state.problem, swapped) <= state.objective + 1e-7 * max(1.0, abs(state.objective))


def test_it_helps_somewhere():
    gained = 0
    for seed in range(30):
        state = started(random_problem("duplicates", seed))
        before = state.objective
        refine(state)
        gained += state.objective > before + 1e-9
    assert gained > 0


def test_distinct_rows_for_free_leave_nothing_to_do():
    state = started(random_problem("no pairs", 1))
    assert state.objective == pytest.approx(state.problem.free_value(state.features))
    moments = len(state.log.moments)
    refine(state)
    assert len(state.log.moments) == moments
