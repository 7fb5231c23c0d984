"""The answer depends on problem, options and seed alone: not on load, clock, hash seed, threads or who listens."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.qpm.program.test_solver import made
from tuner.qpm.program import Moment, Solution, listener, solve, state

EFFORT = 15_000


def answer(solution: Solution) -> dict[str, Any]:
    """All that must be equal, bit by bit."""
    arrays = {"features": solution.features.tolist(), "rows": np.packbits(solution.assignment).tolist()}
    return arrays | solution.summary() | {"cuts": [side.tolist() for side in solution.binding_cuts]}


def one(effort: int | None = EFFORT, gap: float = 0.0, **more: Any) -> Solution:
    return solve(made(60, 20, 0.2), gap=gap, effort=effort, seed=5, **more)


@pytest.mark.slow
def test_work_ends_a_solve_at_the_same_place_on_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = one()
    assert alone.status == "effort"
    assert not alone.stopped_by_clock
    assert alone.log.nodes > 5
    assert EFFORT <= alone.log.lp_iterations < 2 * EFFORT

    class Clock:
        """Runs fifty times as fast, as if this machine were so slow; and stumbles."""

        @staticmethod
        def monotonic() -> float:
            time.sleep(0.0002)
            return 50 * time.monotonic()

        process_time = monotonic

    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        monkeypatch.setattr(state, "time", Clock)
        monkeypatch.setattr(listener, "SILENCE_S", 0.02)
        slow = one(deadline_s=50_000.0, progress=lambda moment: time.sleep(0.01))
    finally:
        hog.kill()
        hog.wait()
    assert json.dumps(answer(slow)) == json.dumps(answer(alone))
    assert slow.seconds > 5 * alone.seconds


SCRIPT = """
import json
from tests.qpm.program.test_purity import answer, one
print(json.dumps(answer(one(effort=2000))))
"""


@pytest.mark.slow
def test_hash_seed_and_threads_change_nothing() -> None:
    said = []
    for seed, threads in (("1", "1"), ("2", "2")):
        variables = {"PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], env={**os.environ, **variables}, capture_output=True, text=True, check=True
        )
        said.append(run.stdout)
    assert said[0] == said[1]
    assert json.loads(said[0]) == json.loads(json.dumps(answer(one(effort=2000))))


@pytest.mark.slow
def test_more_work_is_never_worse() -> None:
    solutions = [one(effort) for effort in (0, 500, 6000)]
    assert [solution.status for solution in solutions] == ["effort"] * 3
    assert solutions[0].log.lp_iterations == 0
    for less, more in pairwise(solutions):
        assert more.objective >= less.objective
        assert more.bound < less.bound


@pytest.mark.slow
def test_an_asked_gap_ends_it_before_the_work_is_spent() -> None:
    solution = one(gap=0.02, effort=None)
    assert solution.status == "gap"
    assert answer(solution) == answer(one(gap=0.02, effort=10**9, deadline_s=1e6))


@pytest.mark.slow
@pytest.mark.parametrize("deadline_s", [0.0, 0.3])
def test_what_the_clock_cut_short_says_so(deadline_s: float) -> None:
    solution = solve(made(), deadline_s=deadline_s)
    assert solution.status == "deadline"
    assert solution.stopped_by_clock


def test_a_large_gap_reached_after_the_clock_struck_is_not_called_reached() -> None:
    solution = solve(made(), deadline_s=0.0, gap=100.0)
    assert solution.status == "deadline"  # the heuristics were cut short: another run would answer otherwise


def test_seconds_are_apart() -> None:
    solution = one(effort=500)
    assert "seconds" not in json.dumps(solution.summary(), allow_nan=False)
    timing = solution.timing()
    assert timing["seconds"] == solution.seconds
    assert len(timing["moments"]) == len(solution.summary()["log"]["moments"]) > 2
    assert {"heuristics", "root"} <= set(timing["phases"])
    json.dumps(timing, allow_nan=False)


@pytest.mark.slow
def test_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SILENCE_S", 0.05)
    told: list[tuple[float, Moment]] = []
    solution = one(progress=lambda moment: told.append((time.monotonic(), moment)))
    repeated = [moment for _, moment in told if not moment.moved]
    assert [moment for _, moment in told if moment.moved] == solution.log.moments
    assert "tree" in {moment.source for moment in repeated}
    assert any(moment.nodes for moment in repeated)
    for moment in repeated:
        assert moment.incumbent <= solution.objective
        assert moment.bound >= solution.bound
    seconds = [moment.seconds for _, moment in told]
    assert all(later >= earlier - 0.05 for earlier, later in pairwise(seconds))


@pytest.mark.slow
def test_an_error_in_a_sign_of_life_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SILENCE_S", 0.05)

    def fail(moment: Moment) -> None:
        if not moment.moved:
            raise RuntimeError("nobody listens")

    with pytest.raises(RuntimeError, match="nobody listens"):
        solve(made(), deadline_s=30.0, progress=fail)


@pytest.mark.slow
def test_a_warm_start_leaves_no_trace_of_time() -> None:
    first = one(effort=500)
    again = [one(effort=2000, warm_start=replace(first, seconds=seconds)) for seconds in (0.1, 99.0)]
    assert answer(again[0]) == answer(again[1])
