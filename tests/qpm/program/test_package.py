"""What others see of the package: its example, its names, a short repr, and calls as earlier versions had them."""

import doctest
import inspect
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import tuner.qpm.program as package
from tests.qpm.program.test_solver import easy, made, same
from tuner.errors import UsageError
from tuner.qpm.program import Problem, problem_from_features, solve

NO_PAIRS = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))


def test_the_example_in_the_docstring_runs() -> None:
    result = doctest.testmod(package)
    assert result.attempted > 8
    assert not result.failed


def test_every_public_name_is_there_and_documented() -> None:
    for name in package.__all__:
        assert inspect.getdoc(getattr(package, name)), name
    assert set(package.__all__) == set(dir(package))
    with pytest.raises(AttributeError, match="nonsense"):
        package.nonsense  # noqa: B018


def test_importing_it_loads_no_solver() -> None:
    script = "import sys, tuner.qpm.program; print({'pyscipopt', 'scipy', 'torch', 'sklearn'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_a_problem_is_shown_in_a_line_without_its_arrays() -> None:
    n = len(made().pairs[0])
    sizes = f"300 candidates, 60 classes, n_features=25, features_per_class=4, {n} penalised pairs, bias"
    assert repr(made()) == f"Problem({sizes})"
    assert repr(replace(made(), forced=([0], [1]), weight=2.0)) == f"Problem({sizes}, 1 forced class pairs, weight=2)"


def test_sizes_that_are_left_out_are_understood_with_a_warning() -> None:
    a = np.random.default_rng(0).random((60, 7))
    with pytest.warns(FutureWarning) as told:
        problem = Problem(a, NO_PAIRS)
    assert [str(warning.message).partition(" is left")[0] for warning in told] == [
        "Problem: n_features",
        "Problem: features_per_class",
    ]
    assert all(warning.filename == __file__ for warning in told)
    assert (problem.n_features, problem.features_per_class) == (50, 5)
    assert type(problem.n_features) is int
    with pytest.warns(FutureWarning, match="features_per_class"):
        assert Problem(a, NO_PAIRS, n_features=9).features_per_class == 5
    assert replace(problem, n_features=8).features_per_class == 5  # no longer left out: no warning


@pytest.mark.parametrize("size", [5.0, "5", None, True])
def test_a_size_is_a_whole_number(size: object) -> None:
    with pytest.raises(UsageError, match="n_features"):
        Problem(np.ones((9, 2)), NO_PAIRS, None, size, 2)  # type: ignore[arg-type]


def test_positional_arguments_of_solve_are_understood_with_a_warning() -> None:
    new = solve(easy(), deadline_s=60.0, gap=0.01, seed=3)
    with pytest.warns(FutureWarning, match=r"write deadline_s=\.\.\., gap=\.\.\.;") as told:
        old = solve(easy(), 60.0, 0.01, seed=3)  # type: ignore[misc]
    assert told[0].filename == __file__
    assert same(old, new)
    with pytest.raises(TypeError, match="gap"), pytest.warns(FutureWarning):
        solve(easy(), 60.0, 0.01, gap=0.1)  # type: ignore[misc]
    with pytest.raises(TypeError, match="at most 8"):
        solve(easy(), *range(8))  # type: ignore[misc]
    assert list(inspect.signature(solve).parameters)[:2] == ["problem", "deadline_s"]


def test_the_former_call_of_problem_from_features_is_understood_with_a_warning() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.random((30, 8)), np.arange(30) % 3
    new = problem_from_features(x, labels, n_features=4, features_per_class=2, variant="paper")
    with pytest.warns(FutureWarning, match="n_classes"):
        problem, kept, info = problem_from_features(x, labels, 3, 4, 2, "paper")  # type: ignore[misc]
    with pytest.warns(FutureWarning, match="x is called features"):
        problem_from_features(x=x, labels=labels, n_features=4, features_per_class=2)  # type: ignore[call-arg]
    assert np.array_equal(problem.relevance, new.problem.relevance)
    assert np.array_equal(kept, new.kept)
    assert info == new.info


def test_the_former_name_of_the_binding_cuts() -> None:
    solution = solve(easy())
    with pytest.warns(FutureWarning, match="binding_cuts"):
        assert solution.reach is solution.binding_cuts
