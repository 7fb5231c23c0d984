"""Options change the way to an answer, never the optimum; their defaults are those that were tuned."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import tuner.qpm.program
from tests.qpm.program.test_solver import easy, made
from tuner.errors import UsageError
from tuner.qpm.program import Solution, SolverOptions, solve

OUT_OF_RANGE = [
    ("starts", -1), ("starts", 1.5), ("starts", True), ("noise", np.nan), ("noise", -0.1), ("patience", "many"),
    ("return_tenure", (5, 4)), ("return_tenure", [1, 2]), ("leave_tenure", (1,)), ("perturbed_share", 1.0),
    ("bucket_ratio", 0.0), ("bucket_ratio", 1), ("level", np.inf), ("start_mixes", (1.5,)), ("start_mixes", 0.5),
    ("polish_every", 0), ("purge_after", 0), ("largest_clique_rank", 0), ("scip", [1]), ("scip", {1: 2}),
]  # fmt: skip
OTHERS = {
    "starts": 0, "noise": 0.5, "patience": 5, "return_tenure": (1, 3), "leave_tenure": (1, 2), "swap_work": 0.0,
    "fewest_swaps": 3, "exact_swaps": 0, "perturb_above": 1.0, "perturbations": 0, "perturbed_share": 0.6,
    "class_value_tolerance": 0.01, "pair_tolerance": 0.1, "clique_violation": 0.3, "node_clique_violation": 0.5,
    "root_cliques": 2, "node_cliques": 0, "largest_clique_rank": 1, "cliques_below": 0.0, "round_gain": 0.5,
    "start_mixes": (), "purge_after": 1, "node_class_share": 0.0, "bucket_ratio": 0.5, "polish_every": 2,
    "level": 0.8, "last_level": 1.0, "level_growth": 100.0, "small_tree": 0, "explicit_size": 0,
    "scip": {"branching/relpscost/maxlookahead": 3},
}  # fmt: skip
NAMES = [field.name for field in fields(SolverOptions)]


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE, ids=str)
def test_an_option_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"option {name} = "):
        SolverOptions(**{name: value})  # type: ignore[arg-type]


def test_every_option_is_documented() -> None:
    described = inspect.getdoc(SolverOptions) or ""
    assert [name for name in NAMES if f"\n    {name}: " not in described] == []


@pytest.fixture(scope="module")
def usual() -> Solution:
    return solve(made(40, 8, 0.2))


@pytest.mark.parametrize("name", NAMES)
def test_an_option_never_changes_the_optimum(name: str, usual: Solution) -> None:
    problem = made(40, 8, 0.2)
    solution = solve(problem, options=SolverOptions(**{name: OTHERS[name]}))  # type: ignore[arg-type]
    problem.verify(solution)
    assert solution.status == usual.status == "optimal"
    assert solution.objective == pytest.approx(usual.objective)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["class_value_tolerance", "start_mixes", "root_cliques", "node_class_share", "scip"],
)
def test_an_option_changes_the_way(name: str) -> None:
    options = (SolverOptions(), SolverOptions(**{name: OTHERS[name]}))  # type: ignore[arg-type]
    ways = [solve(made(60, 20, 0.2), gap=0.01, effort=20_000, options=option).summary()["log"] for option in options]
    assert ways[0] != ways[1]


def test_every_option_is_read_somewhere() -> None:
    files = [path for path in Path(tuner.qpm.program.__path__[0]).rglob("*.py") if path.name != "options.py"]
    text = "\n".join(path.read_text() for path in files)
    assert [name for name in NAMES if not re.search(rf"\b(options|DEFAULTS)\.{name}\b", text)] == []


def test_what_is_no_options_is_refused() -> None:
    with pytest.raises(UsageError, match="options of type dict"):
        solve(easy(), options={})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "todo"),
    [
        ("no/such", 1, "check name"),
        ("limits/nodes", "many", "check name, type"),
        ("limits/nodes", -5, "check name, type and range"),
        ("limits/time", 5.0, "deadline_s"),
        ("randomization/randomseedshift", 3, "seed"),
    ],
)
def test_a_parameter_that_scip_does_not_take_is_refused(name: str, value: object, todo: str) -> None:
    with pytest.raises(UsageError, match=f"option scip = .*{name}") as told:
        solve(easy(), options=SolverOptions(scip={name: value}))
    assert todo in told.value.todo


def test_a_parameter_of_our_constraint_handler_is_taken() -> None:
    options = SolverOptions(scip={"constraints/qpm/sepafreq": 2})
    assert solve(made(40, 8, 0.2), options=options).log.trouble == []
