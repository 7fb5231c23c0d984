"""CHiQPM's forced pairs: exact against enumeration, and refused where they contradict each other."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from tests.qpm.program.test_solver import made
from tuner.errors import InfeasibleError
from tuner.qpm.program import Problem, SolverOptions, problem_from_features, solve
from tuner.qpm.program.instance.class_pairs import closest_classes


def enumerated(problem: Problem) -> float:
    """All selections, all assignments."""
    k, best = problem.features_per_class, -np.inf
    assert problem.forced is not None
    pairs = list(zip(*(side.tolist() for side in problem.forced), strict=True))
    for selection in combinations(range(problem.n_candidates), problem.n_features):
        cost = problem.selection_cost(selection)
        for rows in product(list(combinations(selection, k)), repeat=problem.n_classes):
            if len(set(rows)) < len(rows) or any(len({*rows[c]} & {*rows[d]}) != k - 1 for c, d in pairs):
                continue
            worth = sum(problem.relevance[list(row), c].sum() for c, row in enumerate(rows))
            best = max(best, problem.scale * worth + cost)
    return best


def program(seed: int, forced: tuple[list[int], list[int]]) -> Problem:
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(6, 1)
    return Problem(rng.normal(size=(6, 4)), (i[::2], j[::2], 50 * rng.random(8)), rng.normal(size=6), 4, 2, forced)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("forced", [([0], [1]), ([0, 2], [1, 3]), ([0, 1, 2], [1, 2, 0])])
def test_equals_enumeration(seed: int, forced: tuple[list[int], list[int]]) -> None:
    problem = program(seed, forced)
    solution = solve(problem, deadline_s=60.0)
    problem.verify(solution)
    assert solution.objective == pytest.approx(enumerated(problem), rel=1e-6)
    assert solution.status == "optimal"


def test_contradicting_pairs_are_refused() -> None:
    relevance = np.random.default_rng(0).normal(size=(4, 5))
    every = tuple(np.array(side) for side in np.triu_indices(5, 1))
    none = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    with pytest.raises(InfeasibleError, match="forced class pairs"):
        solve(Problem(relevance, none, None, 4, 2, every), deadline_s=60.0)  # five pairwise crossing pairs of four


def test_closest_classes_are_the_nearest_columns() -> None:
    a = np.array([[0.0, 5.0, 0.1, 9.0], [0.0, 0.0, 0.0, 0.0]])
    c, d = closest_classes(a, 2)
    assert list(zip(c.tolist(), d.tolist(), strict=True)) == [(0, 2), (1, 3)]


@pytest.mark.parametrize("n_pairs", [-1, 7])
def test_more_pairs_than_there_are_is_told_by_arithmetic(n_pairs: int) -> None:
    with pytest.raises(InfeasibleError, match="0 to 6, the pairs of 4 classes"):
        closest_classes(np.eye(4), n_pairs)


def larger(n_pairs: int = 4) -> Problem:
    """Forced pairs of a program that needs some nodes."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(8), 12)
    x = np.maximum(rng.normal(size=(96, 40)) + (rng.normal(size=(8, 40)) > 0.8)[labels], 0)
    return problem_from_features(x, labels, n_features=12, features_per_class=3, forced_pairs=n_pairs).problem


def test_features_to_forced_pairs() -> None:
    problem = larger()
    assert problem.forced is not None
    expected = closest_classes(problem.relevance, 4)
    assert [side.tolist() for side in problem.forced] == [side.tolist() for side in expected]
    solution = solve(problem, gap=0.01)
    c, d = problem.forced
    assert ((solution.assignment[c] & solution.assignment[d]).sum(axis=1) == 2).all()
    assert solution.status in ("gap", "optimal")


@pytest.mark.slow
def test_work_ends_it_at_the_same_place() -> None:
    problem = made(30, 6, 0.3)
    problem = replace(problem, n_features=10, features_per_class=3, forced=closest_classes(problem.relevance, 3))
    full = solve(problem)
    first, second = (solve(problem, effort=300) for _ in range(2))
    assert full.status == "optimal"
    assert first.status == "effort"
    assert first.summary() == second.summary()
    assert np.array_equal(first.assignment, second.assignment)
    assert first.objective < full.objective <= first.bound * (1 + 1e-9)


def test_a_program_too_large_to_be_written_out_keeps_the_selection_and_the_bound_without_pairs() -> None:
    problem = larger()
    solution = solve(problem, options=SolverOptions(explicit_size=100))
    free = solve(replace(problem, forced=None))
    assert np.array_equal(solution.features, free.features)
    assert solution.status == "effort"
    assert solution.log.bound_from == "without forced pairs"
    assert solution.objective <= solve(problem).objective <= solution.bound
