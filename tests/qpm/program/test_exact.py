"""Small programs are solved to the value brute force finds, whatever their shape; medium ones to CP-SAT's."""

from itertools import combinations

import numpy as np
import pytest

from tests.qpm.program.brute import KINDS, best_rows, brute_force, random_problem
from tuner.qpm.program import Problem, solve
from tuner.qpm.program.cuts.class_values import row, tightest
from tuner.qpm.program.primal.distinct import best_subsets, distinct_rows, group_cut, row_matrix
from tuner.qpm.program.primal.tabu import Swaps


def close(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * max(1.0, abs(b))


def check_exact(kind: str, seed: int) -> None:
    problem = random_problem(kind, seed)
    best = brute_force(problem)
    solution = solve(problem, deadline_s=60.0)
    problem.verify(solution)
    assert solution.status == "optimal", (kind, seed)
    assert close(solution.objective, best), (kind, seed, solution.objective, best)
    for moment in solution.log.moments:
        assert moment.bound >= best - 1e-6 * max(1.0, abs(best)), (kind, seed, moment)
        assert moment.incumbent <= best + 1e-6 * max(1.0, abs(best)), (kind, seed, moment)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_equals_brute_force(kind: str, seed: int) -> None:
    check_exact(kind, seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_equals_brute_force_on_two_hundred_more(kind: str) -> None:
    for seed in range(3, 25):
        check_exact(kind, seed)


def medium(seed: int, n: int = 24, n_classes: int = 12, n_features: int = 8, k: int = 3) -> Problem:
    """Too many selections to enumerate, small enough for CP-SAT's own optimum."""
    rng = np.random.default_rng(seed)
    relevance = rng.normal(size=(n, 4)) @ rng.normal(size=(4, n_classes)) / 4
    relevance[:, 1::3] = relevance[:, : len(range(1, n_classes, 3))]  # classes that want the same row
    i, j = np.triu_indices(n, 1)
    hit = rng.random(len(i)) < 0.2
    return Problem(relevance, (i[hit], j[hit], 5 * rng.random(int(hit.sum()))), rng.normal(size=n), n_features, k)


def cp_sat_optimum(problem: Problem) -> float:
    """The program with explicit W on CP-SAT, coefficients rounded to 1e-6; distinct rows by lazy no-goods."""
    from ortools.sat.python import cp_model

    n, n_classes, k = problem.n_candidates, problem.n_classes, problem.features_per_class
    model, unit = cp_model.CpModel(), 10**6
    s = [model.new_bool_var(f"s{f}") for f in range(n)]
    w = [[model.new_bool_var(f"w{f}_{c}") for c in range(n_classes)] for f in range(n)]
    y = [model.new_bool_var(f"y{q}") for q in range(len(problem.pairs[0]))]
    model.add(sum(s) == problem.n_features)
    for f in range(n):
        for c in range(n_classes):
            model.add_implication(w[f][c], s[f])
    for c in range(n_classes):
        model.add(sum(w[f][c] for f in range(n)) == k)
    for i, j, v in zip(problem.pairs[0].tolist(), problem.pairs[1].tolist(), y, strict=True):
        model.add_bool_or([s[i].negated(), s[j].negated(), v])
    for c, d in combinations(range(n_classes), 2):
        same = []
        for f in range(n):
            both = model.new_bool_var("")
            model.add_implication(both, w[f][c])
            model.add_implication(both, w[f][d])
            model.add_bool_or([w[f][c].negated(), w[f][d].negated(), both])
            same.append(both)
        model.add(sum(same) <= k - 1)
    gain = [
        (round(unit * problem.scale * float(a)), v)
        for row, vs in zip(problem.relevance, w, strict=True)
        for a, v in zip(row, vs, strict=True)
    ]
    gain += [(round(unit * float(b)), v) for b, v in zip(problem.linear, s, strict=True)]
    gain += [(-round(unit * float(r)), v) for r, v in zip(problem.pairs[2], y, strict=True)]
    model.maximize(sum(a * v for a, v in gain))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = 100.0
    assert solver.solve(model) == cp_model.OPTIMAL
    return solver.objective_value / unit


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_equals_cp_sat_on_medium_programs(seed: int) -> None:
    problem = medium(seed)
    solution = solve(problem, deadline_s=60.0)
    assert solution.status == "optimal"
    assert abs(solution.objective - cp_sat_optimum(problem)) <= 1e-3


@pytest.mark.parametrize("kind", ["plain", "duplicates", "ties", "one class"])
def test_best_rows_of_a_selection_are_the_matching_over_all_subsets(kind: str) -> None:
    for seed in range(30):
        problem = random_problem(kind, seed)
        selection = tuple(range(problem.n_features))
        rows, groups = distinct_rows(problem.relevance[list(selection)], problem.features_per_class)
        assert len(set(rows)) == problem.n_classes
        value = problem.objective(selection, row_matrix(rows, problem.n_features))
        assert close(value, best_rows(problem, selection))
        lost = problem.scale * sum(group.free - group.best for group in groups)
        assert close(value + lost, problem.free_value(selection))


def test_best_subsets_come_in_order() -> None:
    rng = np.random.default_rng(0)
    values = np.sort(rng.normal(size=9))[::-1]
    found = best_subsets(np.arange(9), values, 4, 40)
    everything = sorted((float(values[list(c)].sum()) for c in combinations(range(9), 4)), reverse=True)
    assert np.allclose([value for value, _ in found], everything[:40])
    assert len({subset for _, subset in found}) == 40


@pytest.mark.parametrize("kind", ["duplicates"])
def test_group_cuts_hold_for_every_selection_and_cut_off_their_own(kind: str) -> None:
    cuts = 0
    for seed in range(8):
        problem = random_problem(kind, seed)
        n, k = problem.n_candidates, problem.features_per_class
        every = [np.array(c) for c in combinations(range(n), problem.n_features)]
        own = every[len(every) // 2]
        for group in distinct_rows(problem.relevance[own], k)[1]:
            others, coefs = group_cut(problem, own, group)
            full = np.zeros(n)
            full[others] = coefs
            assert group.free > group.best + full[own].sum()
            for selection in every:
                rows, _ = distinct_rows(problem.relevance[selection], k)
                value = sum(problem.relevance[selection[list(rows[c])], c].sum() for c in group.classes)
                assert value <= group.best + full[selection].sum() + 1e-9
                cuts += 1
    assert cuts > 100


def test_eta_inequality_is_tight_at_integral_points_and_valid_elsewhere() -> None:
    rng = np.random.default_rng(1)
    for seed in range(20):
        problem = random_problem("plain", seed)
        n, k = problem.n_candidates, problem.features_per_class
        point = rng.random(n)
        point *= problem.n_features / point.sum()
        cuts = tightest(problem, np.minimum(point, 1.0))
        for _ in range(20):
            selection = rng.choice(n, problem.n_features, replace=False)
            s = np.zeros(n)
            s[selection] = 1.0
            top = np.sort(problem.relevance[selection], axis=0)[-k:].sum(axis=0)
            assert np.allclose(tightest(problem, s).value, top)
            for c in range(problem.n_classes):
                features, gain, side = row(problem, c, int(cuts.rank[c]))
                assert top[c] <= side + gain @ s[features] + 1e-9


def test_swap_gains_are_the_differences_of_values() -> None:
    rng = np.random.default_rng(2)
    for seed in range(10):
        for kind in ("plain", "ties", "k=N"):
            problem = random_problem(kind, seed)
            swaps = Swaps(problem, rng.permutation(problem.n_candidates)[: problem.n_features])
            for _ in range(6):
                gains = swaps.gains()
                now = swaps.selection.copy()
                for a, b in np.ndindex(gains.shape):
                    if b in now:
                        assert gains[a, b] == -np.inf
                        continue
                    then = now.copy()
                    then[a] = b
                    assert close(problem.free_value(now) + gains[a, b], problem.free_value(then))
                outside = np.setdiff1d(np.arange(problem.n_candidates), now)
                if not len(outside):
                    break
                a, b = int(rng.integers(len(now))), int(rng.choice(outside))
                swaps.swap(a, b, float(gains[a, b]))
