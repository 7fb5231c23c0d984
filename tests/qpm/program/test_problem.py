"""Bad input is refused with the value and the rule; broken solutions are caught by the check."""

from dataclasses import replace

import numpy as np
import pytest

from tuner.errors import InfeasibleError, TunerError, UsageError
from tuner.qpm.program import Problem, Solution, check_feasible, solve

NO_PAIRS = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))


def relevance(n: int = 8, n_classes: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, n_classes))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"relevance": np.full((8, 4), np.nan)}, ["relevance[0, 0]", "nan", "finite"]),
        ({"relevance": np.where(np.eye(8, 4) > 0, np.inf, 0.0)}, ["inf", "finite"]),
        ({"relevance": np.zeros(8)}, ["(8,)", "n_candidates"]),
        ({"bias": np.array([0, np.nan, *[0] * 6])}, ["bias[1]", "nan"]),
        ({"bias": np.zeros(7)}, ["(7,)", "(8,)"]),
        ({"pairs": ([1], [8], [1.0])}, ["8", "index < 8"]),
        ({"pairs": ([-1], [2], [1.0])}, ["-1", "0 <="]),
        ({"pairs": ([3], [3], [1.0])}, ["(3, 3)", "i < j"]),
        ({"pairs": ([4], [2], [1.0])}, ["(4, 2)", "i < j"]),
        ({"pairs": ([1, 1], [2, 2], [1.0, 0.5])}, ["(1, 2)", "twice"]),
        ({"pairs": ([1], [2], [-0.5])}, ["-0.5", ">= 0"]),
        ({"pairs": ([1], [2], [np.nan])}, ["penalty", "nan"]),
        ({"pairs": ([1.5], [2], [1.0])}, ["float64", "integer"]),
        ({"pairs": ([1], [2, 3], [1.0])}, ["(1,)", "(2,)"]),
        ({"forced": ([0], [4])}, ["4", "index < 4"]),
        ({"forced": ([1], [1])}, ["class 1 with itself"]),
    ],
)
def test_bad_input_is_refused_with_value_and_rule(change: dict[str, object], words: list[str]) -> None:
    arguments = {"relevance": relevance(), "pairs": NO_PAIRS, "n_features": 4, "features_per_class": 2, **change}
    with pytest.raises(UsageError) as caught:
        Problem(**arguments)  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((10, 11, 2, 3), ["n_features = 11", "10 candidates"]),
        ((10, 4, 5, 3), ["features_per_class = 5", "n_features = 4"]),
        ((10, 4, 0, 3), ["features_per_class = 0"]),
        ((10, 5, 2, 11), ["10 subsets of 2", "11 classes"]),
        ((10, 5, 2, 0), ["0 classes"]),
    ],
)
def test_impossible_sizes_are_told_by_arithmetic(sizes: tuple[int, int, int, int], words: list[str]) -> None:
    with pytest.raises(InfeasibleError) as caught:
        check_feasible(*sizes)
    for word in words:
        assert word in str(caught.value)
    check_feasible(10, 5, 2, 10)


BAD_AMOUNTS = (-1.0, np.nan, np.inf, "0", [1.0])
BAD = [(name, value) for name in ("deadline_s", "gap", "effort") for value in BAD_AMOUNTS]
BAD += [("seed", value) for value in (-1, 1.5, "a", None)]
BAD += [("clock", "moon"), ("deadline_s", None), ("gap", None)]
BAD += [("warm_start", value) for value in ([99], [-1], [1.5], [np.nan], "abc", {1, 2}, [True] * 8, [10**30], [None])]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_arguments_of_solve(name: str, value: object) -> None:
    problem = Problem(relevance(), NO_PAIRS, None, 4, 2)
    with pytest.raises(UsageError, match=name):
        solve(problem, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("none", [[], (), np.zeros(0), np.zeros(0, dtype=bool)])
def test_a_warm_start_of_nothing_is_none(none: object) -> None:
    problem = Problem(relevance(), NO_PAIRS, None, 4, 2)
    assert solve(problem, warm_start=none).objective == pytest.approx(solve(problem).objective)  # type: ignore[arg-type]


def solved() -> tuple[Problem, Solution]:
    problem = Problem(relevance(), ([0], [1], [3.0]), np.ones(8), 4, 2)
    return problem, solve(problem)


def test_the_check_names_what_is_broken() -> None:
    problem, good = solved()
    problem.verify(good)
    rows = good.assignment.copy()
    rows[0] = rows[1]
    crowded = good.assignment.copy()
    crowded[2] = True
    broken = {
        "same features": replace(good, assignment=rows, objective=problem.objective(good.features, rows)),
        "class 2 has 4 features": replace(good, assignment=crowded),
        "bound": replace(good, bound=good.objective - 1),
        "objective": replace(good, objective=good.objective + 1),
        "not sorted": replace(good, features=good.features[::-1].copy()),
        "features selected": replace(good, features=good.features[:3]),
        "candidates": replace(good, features=good.features + 8),
        "assignment": replace(good, assignment=good.assignment.astype(int)),
    }
    for words, solution in broken.items():
        with pytest.raises(TunerError) as caught:
            problem.verify(solution)
        assert words in str(caught.value)


def test_solving_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    solved()
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ""
