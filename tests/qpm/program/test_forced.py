"""CHiQPM's forced pairs: exact against enumeration, and refused where they contradict each other."""

from itertools import combinations, product

import numpy as np
import pytest

from tuner.errors import InfeasibleError
from tuner.qpm.program import Problem, solve
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
