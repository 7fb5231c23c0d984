"""SCIP may fail anywhere: the answer is the best until then, verified, with the last valid bound and a word of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.qpm.program.brute import brute_force, random_problem
from tests.qpm.program.test_solver import made
from tuner.qpm.program import Problem, Solution, solve
from tuner.qpm.program.bound.relaxation import RootLP
from tuner.qpm.program.tree import branch_and_cut
from tuner.qpm.program.tree.constraint_handler import TreeHandler


def failing(error: BaseException) -> Callable[..., Any]:
    """Something that raises."""

    def fail(*args: Any, **options: Any) -> Any:
        raise error

    return fail


def sound(problem: Problem, solution: Solution) -> None:
    problem.verify(solution)
    assert solution.bound >= solution.objective
    if problem.n_candidates < 12:
        assert solution.bound >= brute_force(problem) * (1 - 1e-9)


LP_ERROR = Exception("SCIP: error in LP solver!")


@pytest.mark.parametrize(
    "error", [LP_ERROR, MemoryError("SCIP: insufficient memory error!"), OSError("SCIP: read error!")]
)
def test_a_failing_root_leaves_the_tree_to_prove_it(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(RootLP, "solve", failing(error))
    problem = random_problem("all pairs", 3)
    solution = solve(problem)
    sound(problem, solution)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(brute_force(problem))
    assert solution.log.trouble == [f"root: {type(error).__name__}: {error}"]


@pytest.mark.slow
@pytest.mark.parametrize("error", [LP_ERROR, MemoryError("SCIP: insufficient memory error!")])
@pytest.mark.parametrize("where", ["_values", "_separate", "_row", "_enforce"])
def test_a_failing_callback_ends_the_tree(monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str) -> None:
    before = solve(made(60, 20, 0.2), effort=0)
    monkeypatch.setattr(TreeHandler, where, failing(error))
    solution = solve(made(60, 20, 0.2), effort=8_000)
    sound(made(60, 20, 0.2), solution)
    assert solution.bound < before.bound
    if where != "_enforce":  # asked of integral points only
        assert solution.status == "trouble"
        assert solution.log.trouble == [f"tree: {type(error).__name__}: {error}"]
        assert "trouble" in solution.summary()["log"]


@pytest.mark.slow
@pytest.mark.parametrize("status", ["unknown", "memlimit", "unbounded"])
def test_a_tree_that_ends_for_no_reason_of_ours_is_trouble(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    class Ending(branch_and_cut.Model):  # type: ignore[misc, name-defined]
        def optimizeNogil(self) -> None:
            self.setParam("limits/totalnodes", 3)
            super().optimizeNogil()

        def getStatus(self) -> str:
            return status

    monkeypatch.setattr(branch_and_cut, "Model", Ending)
    solution = solve(made(60, 20, 0.2))
    sound(made(60, 20, 0.2), solution)
    assert solution.status == "trouble"
    assert solution.log.trouble == [f"tree: SCIP ended with the status {status}"]


@pytest.mark.slow
def test_scip_that_fails_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(branch_and_cut.Model):  # type: ignore[misc, name-defined]
        def optimizeNogil(self) -> None:
            super().optimizeNogil()
            raise LP_ERROR

    monkeypatch.setattr(branch_and_cut, "Model", Failing)
    problem = made(60, 20, 0.2)
    solution = solve(problem, gap=0.02, effort=20_000)
    sound(problem, solution)
    assert solution.log.trouble


def test_our_own_mistakes_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.errors import TunerError

    monkeypatch.setattr(Problem, "objective", lambda *_: np.inf)
    with pytest.raises(TunerError, match="violates"):
        solve(random_problem("plain", 0))
