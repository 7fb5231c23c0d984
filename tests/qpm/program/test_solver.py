"""How `solve` behaves: deadlines, Ctrl-C, repetition, several processes, progress, warm starts."""

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tuner.qpm.program import Moment, Problem, Solution, solve

INSTANCES = (
    "adapter-256x100-released",
    "adapter-256x100-paper",
    "adapter-512x200-released",
    "adapter-512x200-paper",
    "adapter-768x200-released",
    "adapter-768x200-paper",
    "concept-768x200-released",
    "concept-768x200-paper",
)


def load(folder: Path, name: str, n_features: int = 50, features_per_class: int = 5) -> Problem:
    data = np.load(folder / "programs" / f"{name}.npz")
    pairs = data["pair_i"], data["pair_j"], data["pair_penalty"]
    return Problem(data["relevance"], pairs, data["bias"], n_features, features_per_class)


def made(n: int = 300, n_classes: int = 60, density: float = 0.1) -> Problem:
    """A program that takes longer than a test has: noise has no structure to bound it by."""
    rng = np.random.default_rng(0)
    i, j = np.triu_indices(n, 1)
    hit = rng.random(len(i)) < density
    return Problem(
        rng.random((n, n_classes)), (i[hit], j[hit], 10 * rng.random(int(hit.sum()))), rng.normal(size=n), 25, 4
    )


def easy(seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(20, 1)
    hit = rng.random(len(i)) < 0.1
    return Problem(rng.normal(size=(20, 6)), (i[hit], j[hit], rng.random(int(hit.sum()))), None, 6, 2)


def same(a: Solution, b: Solution) -> bool:
    return bool((a.features == b.features).all() and (a.assignment == b.assignment).all() and a.bound == b.bound)


@pytest.mark.slow
@pytest.mark.parametrize("deadline_s", [0.0, 0.05, 0.5, 3.0])
def test_the_deadline_is_kept_and_the_answer_is_verified(deadline_s: float) -> None:
    problem = made()
    solve(made(30, 5), deadline_s=0.0)  # imports count for nobody
    begin = time.process_time()  # a busy machine may keep us waiting, but not working
    solution = solve(problem, deadline_s=deadline_s)
    assert time.process_time() - begin <= 1.05 * deadline_s + 1.0
    problem.verify(solution)
    assert solution.status == "deadline"
    assert np.isfinite(solution.bound)
    assert solution.bound >= solution.objective


@pytest.mark.slow
def test_the_deadline_is_kept_inside_a_long_linear_program() -> None:
    rng = np.random.default_rng(0)
    problem = Problem(rng.random((1500, 600)), ([0], [1], [1.0]), None, 50, 5)
    begin = time.process_time()
    solution = solve(problem, deadline_s=4.0)
    assert time.process_time() - begin <= 1.05 * 4.0 + 1.0
    assert solution.status == "deadline"
    assert solution.log.bound_from in ("price", "root")


def test_an_asked_gap_ends_the_work() -> None:
    solution = solve(made(60, 10, 0.05), deadline_s=60.0, gap=0.05)
    assert solution.status in ("gap", "optimal")
    assert solution.gap <= 0.05 * (1 + 1e-6)


def test_the_same_seed_gives_the_same_answer() -> None:
    first, second = (solve(easy(3), seed=5) for _ in range(2))
    assert first.status == "optimal"
    assert same(first, second)
    first, second = (solve(made(60, 10, 0.05), gap=0.03, seed=5) for _ in range(2))
    assert first.status != "deadline"
    assert same(first, second)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_tree_whatever_the_deadline() -> None:
    first, second = (
        solve(made(60, 20, 0.2), deadline_s=deadline_s, gap=0.005, seed=5, clock="cpu") for deadline_s in (90.0, 900.0)
    )
    assert first.status == second.status == "gap"
    assert first.log.nodes == second.log.nodes > 20
    assert same(first, second)


@pytest.mark.slow
def test_nodes_are_counted_over_all_levels() -> None:
    solution = solve(made(60, 20, 0.2), gap=0.0)
    assert solution.status == "optimal"
    assert sum(name.startswith("level") for name in solution.log.phases) > 1
    nodes = [moment.nodes for moment in solution.log.moments if moment.nodes]
    assert nodes == sorted(nodes)
    assert nodes[-1] == solution.log.nodes


def test_progress_tells_a_monotone_story() -> None:
    moments: list[Moment] = []
    solution = solve(easy(1), progress=moments.append)
    assert moments == solution.log.moments
    assert len(moments) >= 2
    for before, after in pairwise(moments):
        assert after.incumbent >= before.incumbent
        assert after.bound <= before.bound
        assert after.seconds >= before.seconds
    assert moments[-1].bound == pytest.approx(solution.bound)
    assert solution.log.bound_from in ("price", "root", "tree")


@pytest.mark.slow
def test_an_error_in_the_callback_reaches_the_caller() -> None:
    def fail(moment: Moment) -> None:
        if moment.source == "tree":
            raise RuntimeError("listener broke")

    with pytest.raises(RuntimeError, match="listener broke"):
        solve(made(), deadline_s=30.0, progress=fail)


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.3, 3.0])
def test_ctrl_c_returns_the_best_so_far(delay_s: float) -> None:
    problem = made()
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGINT))
    solution = solve(problem, deadline_s=90.0, progress=lambda _: timer.ident or timer.start())
    timer.join()
    assert solution.status == "interrupted"
    problem.verify(solution)
    assert signal.getsignal(signal.SIGINT) is before


def _objective(seed: int) -> tuple[float, float]:
    solution = solve(easy(seed))
    return solution.objective, solution.bound


@pytest.mark.slow
def test_several_processes_at_once() -> None:
    code = "import sys; from tests.qpm.program.test_solver import _objective; print(_objective(int(sys.argv[1])))"

    def started(seed: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", code, str(seed)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])

    alone = [started(seed).communicate()[0] for seed in range(4)]
    together = [process.communicate()[0] for process in [started(seed) for seed in range(4)]]
    assert together == alone
    assert all(alone)


def test_in_a_thread_it_works_too() -> None:
    found: list[Solution] = []
    thread = threading.Thread(target=lambda: found.append(solve(easy(2))))
    thread.start()
    thread.join()
    assert found[0].status == "optimal"


@pytest.mark.parametrize("size", [0, 3, 6, 12])
def test_a_warm_start_of_any_size_gives_the_same_optimum(size: int) -> None:
    problem = easy(4)
    cold = solve(problem)
    warm = solve(problem, warm_start=np.arange(size))
    assert warm.status == "optimal"
    assert warm.objective == pytest.approx(cold.objective)
    assert warm.log.moments[0].source == "warm start"


def test_a_neighbours_solution_is_a_warm_start() -> None:
    base = easy(4)
    neighbour = solve(Problem(base.relevance, base.pairs, None, 8, 3))
    cold = solve(base)
    warm = solve(base, warm_start=neighbour)
    assert warm.status == "optimal"
    assert warm.objective == pytest.approx(cold.objective)


def test_a_solution_is_plain_data() -> None:
    import json

    text = json.dumps(solve(easy(0)).summary())
    assert "moments" in text
    assert "Infinity" not in text


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if "768x200-paper" in name else ()) for name in INSTANCES]
)
def test_no_bound_is_below_the_best_known_value(name: str, shared_data: Path) -> None:
    problem = load(shared_data, name)
    enough_s = 5.0 if name.endswith("paper") else 3.0  # of CPU: the root, and some of the tree
    goals = ((0, 0.0), (1, 0.01))
    solutions = [solve(problem, deadline_s=enough_s, gap=gap, seed=seed, clock="cpu") for seed, gap in goals]
    best = max(solution.objective for solution in solutions)
    for solution in solutions:
        problem.verify(solution)
        assert len(solution.log.moments) > 3
        for moment in solution.log.moments:
            assert moment.bound >= best - 1e-6 * abs(best)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in INSTANCES if "released" in name])
def test_released_programs_are_nearly_solved_in_seconds(name: str, shared_data: Path) -> None:
    problem = load(shared_data, name)
    solution = solve(problem, deadline_s=10.0, gap=0.0035, clock="cpu")
    problem.verify(solution)
    assert solution.gap <= 0.0035
