"""Swaps by the value with distinct rows: better where free values mislead, idle where they do not."""

import numpy as np
import pytest

from tests.qpm.program.brute import best_rows, random_problem
from tuner.qpm.program.incumbent import Race
from tuner.qpm.program.primal.refine import refine
from tuner.qpm.program.primal.tabu import descend, greedy


def started(problem):
    """A race whose incumbent is the best that swaps by free value find."""
    race = Race(problem, 60.0)
    race.offer(descend(problem, greedy(problem), np.random.default_rng(0), 0)[0], "swaps")
    return race


@pytest.mark.parametrize("seed", range(30))
def test_no_single_swap_is_left_that_helps(seed):
    problem = random_problem("duplicates", seed)
    race = started(problem)
    before = race.objective
    refine(race, tries=10**6)
    assert race.objective >= before
    inside = race.features.tolist()
    for leaving in inside:
        for entering in set(range(problem.n_candidates)) - set(inside):
            swapped = tuple(sorted({*inside, entering} - {leaving}))
            assert best_rows(race.problem, swapped) <= race.objective + 1e-7 * max(1.0, abs(race.objective))


def test_it_helps_somewhere():
    gained = 0
    for seed in range(30):
        race = started(random_problem("duplicates", seed))
        before = race.objective
        refine(race)
        gained += race.objective > before + 1e-9
    assert gained > 0


def test_distinct_rows_for_free_leave_nothing_to_do():
    race = started(random_problem("no pairs", 1))
    assert race.objective == pytest.approx(race.problem.free_value(race.features))
    moments = len(race.log.moments)
    refine(race)
    assert len(race.log.moments) == moments
