"""The unit of the coefficients, and what is added to all of them, change no answer."""

from dataclasses import replace

import numpy as np
import pytest

from tests.qpm.program.brute import KINDS, brute_force, random_problem
from tuner.errors import UsageError
from tuner.qpm.program import Problem, solve
from tuner.qpm.program.units import Units


def times(problem: Problem, all_of_it: float = 1.0, relevance: float = 1.0, penalty: float = 1.0) -> Problem:
    """The problem with its coefficients multiplied."""
    i, j, weight = problem.pairs
    return replace(
        problem,
        relevance=problem.relevance * relevance * all_of_it,
        pairs=(i, j, weight * penalty * all_of_it),
        bias=None if problem.bias is None else problem.bias * all_of_it,
    )


def check(problem: Problem, certain: float = 0.0, tolerance: float = 1e-6) -> None:
    """The optimum is found and proven, measured by what is left of it beside the `certain` part."""
    best = brute_force(problem)
    solution = solve(problem)
    slack = tolerance * max(abs(best - certain), 1e-9 * problem.size)
    assert solution.status == "optimal", solution.log.trouble
    assert solution.objective >= best - slack
    assert solution.bound >= best - slack
    assert solution.bound >= solution.objective
    assert np.isfinite(solution.gap)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e-9, 1e6, 1e12, 1e300])
@pytest.mark.parametrize("kind", ["plain", "duplicates", "negative", "all pairs"])
def test_all_coefficients_in_another_unit(kind: str, scale: float) -> None:
    check(times(random_problem(kind, 1), scale))


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e9])
@pytest.mark.parametrize("kind", ["plain", "all pairs"])
def test_relevance_and_penalties_of_different_size(kind: str, scale: float) -> None:
    check(times(random_problem(kind, 2), relevance=scale))
    check(times(random_problem(kind, 2), penalty=scale))


@pytest.mark.parametrize("exponent", [-900, -40, -3, 1, 30, 900])
def test_powers_of_two_change_no_bit(exponent: int) -> None:
    problem = random_problem("plain", 4)
    first, second = solve(problem), solve(times(problem, 2.0**exponent))
    assert np.array_equal(first.features, second.features)
    assert np.array_equal(first.assignment, second.assignment)
    assert second.objective == first.objective * 2.0**exponent
    assert second.bound == first.bound * 2.0**exponent
    assert second.gap == first.gap
    moments = [(moment.incumbent, moment.bound) for moment in first.log.moments]
    scaled = [(moment.incumbent, moment.bound) for moment in second.log.moments]
    assert scaled == [(a * 2.0**exponent, b * 2.0**exponent) for a, b in moments]


@pytest.mark.slow
@pytest.mark.parametrize("offset", [1e6, -1e6, 1e9])
@pytest.mark.parametrize("kind", ["plain", "duplicates"])
def test_what_every_class_has_in_any_case_decides_nothing(kind: str, offset: float) -> None:
    problem = random_problem(kind, 3)
    moved = replace(problem, relevance=problem.relevance + offset)
    check(moved, 1000.0 * offset, tolerance=1e-4)
    assert np.array_equal(solve(moved).features, solve(problem).features)
    one = problem.relevance.copy()
    one[:, 0] += offset
    check(replace(problem, relevance=one), 1000.0 / problem.n_classes * offset, tolerance=1e-4)
    moved = replace(problem, bias=problem.linear + offset)
    check(moved, problem.n_features * offset, tolerance=1e-4)
    assert np.array_equal(solve(moved).features, solve(problem).features)


@pytest.mark.parametrize("outlier", [1e6, 1e12, -1e6, -1e12])
def test_one_coefficient_that_decides_itself_hides_no_other(outlier: float) -> None:
    problem = random_problem("plain", 5)
    bias = problem.linear.copy()
    bias[0] = outlier
    check(replace(problem, bias=bias), max(outlier, 0.0), tolerance=1e-3 if outlier == 1e12 else 1e-6)
    if outlier < 0:
        relevance = problem.relevance.copy()
        relevance[1, 0] = outlier
        check(replace(problem, relevance=relevance))


@pytest.mark.parametrize("kind", KINDS)
def test_units_keep_the_value_of_every_answer_that_counts(kind: str) -> None:
    problem = random_problem(kind, 6)
    huge = replace(problem, pairs=(*problem.pairs[:2], np.where(problem.pairs[2] > 0, 1e9, 0.0)))
    for given in (problem, huge):
        units = Units.of(given)
        assert units.outer(brute_force(units.inner)) == pytest.approx(brute_force(given), rel=1e-9)


def test_a_published_problem_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)
    relevance = rng.normal(size=(30, 8))
    relevance /= np.abs(relevance).max()
    problem = Problem(relevance, ([0, 1], [1, 2], [0.5, 1.0]), 0.3 * rng.random(30) - 0.15, 10, 3)
    units = Units.of(problem)
    assert units.inner is problem
    assert (units.exponent, units.offset) == (0, 0.0)


@pytest.mark.parametrize("huge", [1e305, 1.7e308])
def test_values_that_do_not_fit_are_refused(huge: float) -> None:
    problem = random_problem("plain", 1)
    with pytest.raises(UsageError, match="relevance of up to"):
        replace(problem, relevance=problem.relevance / np.abs(problem.relevance).max() * huge)
    with pytest.raises(UsageError, match="bias of up to"):
        replace(problem, bias=np.full(problem.n_candidates, max(huge, 1e307)))


@pytest.mark.parametrize("weight", [0.0, -1.0, np.inf, np.nan])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(UsageError, match="weight"):
        replace(random_problem("plain", 1), weight=weight)


@pytest.mark.parametrize("weight", [1e-6, 0.5, 3e7])
def test_the_weight_of_the_relevance_is_kept(weight: float) -> None:
    check(replace(random_problem("plain", 7), weight=weight))


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [1e6, 1e12])
def test_no_answer_is_stated_better_than_it_is(penalty: float) -> None:
    for seed in range(4):
        problem = times(random_problem("all pairs", seed), penalty=penalty)
        for effort in (0, None):
            solution = solve(problem, effort=effort)
            for moment in solution.log.moments:
                assert moment.incumbent <= solution.objective + 1e-9 * abs(solution.objective)
                assert moment.bound >= solution.bound - 1e-9 * abs(solution.bound)
