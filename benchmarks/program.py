"""The program measured: gap over time on real instances, against naive models, and how cost grows with size.

python -m benchmarks.program instances|beside|naive|growth|sweep [--deadline 60] [--only NAME ...]

`beside` is `instances` and `naive` in one run, instance by instance.

One core. Seconds are CPU seconds of this process, so that a busy machine does not change the figures; wall time is
recorded beside them. Results are merged into benchmarks/results/program.json.
"""

import argparse
import json
import os
import platform
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks import machine as results
from benchmarks.program_naive import NAIVE
from tuner.qpm.program import Problem, Solution, solve
from tuner.qpm.program.instance.coefficients import penalised_pairs

RESULTS = results.RESULTS / "program.json"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "programs"
MARKS = (2.0, 10.0, 60.0, 300.0)
GAPS = (0.01, 0.005, 0.001)


def load(name: str, n_features: int = 50, features_per_class: int = 5) -> Problem:
    data = np.load(DATA / f"{name}.npz")
    pairs = data["pair_i"], data["pair_j"], data["pair_penalty"]
    return Problem(data["relevance"], pairs, data["bias"], n_features, features_per_class)


def made(n: int, n_classes: int, n_features: int = 50, features_per_class: int = 5, seed: int = 0) -> Problem:
    """Features that each answer to a few related classes, with `released` pairs."""
    rng = np.random.default_rng(seed)
    groups = rng.normal(size=(max(n_classes // 5, 1), n_classes)) * 0.5
    relevance = rng.normal(size=(n, len(groups))) @ groups / len(groups) ** 0.5 + rng.normal(size=(n, n_classes))
    relevance = np.maximum(relevance, 0) ** 2 - 0.3
    relevance /= np.abs(relevance).max()
    pairs, _ = penalised_pairs(relevance, n_features)
    return Problem(relevance, pairs, None, n_features, features_per_class)


def gap_at(solution: Solution, seconds: float) -> float | None:
    """Gap between what was known by then on both sides; None before the first bound."""
    known = [moment for moment in solution.log.moments if moment.seconds <= seconds]
    if not known or not np.isfinite(known[-1].bound):
        return None
    return (known[-1].bound - known[-1].incumbent) / abs(known[-1].incumbent)


def time_to(solution: Solution, gap: float) -> float | None:
    for moment in solution.log.moments:
        if moment.bound - moment.incumbent <= gap * abs(moment.incumbent) * (1 + 1e-9):
            return moment.seconds
    return None


def run(problem: Problem, deadline_s: float, gap: float = 0.0, **more: Any) -> dict[str, Any]:
    wall = time.monotonic()
    solution = solve(problem, deadline_s=deadline_s, gap=gap, clock="cpu", effort=None, **more)
    problem.verify(solution)
    return {
        "objective": solution.objective,
        "bound": solution.bound,
        "gap": solution.gap,
        "gap_at": {f"{mark:g}": gap_at(solution, mark) for mark in MARKS if mark <= deadline_s},
        "time_to": {f"{goal:g}": time_to(solution, goal) for goal in GAPS},
        "status": solution.status,
        "cpu_s": solution.seconds,
        "wall_s": time.monotonic() - wall,
        "nodes": solution.log.nodes,
        "fixed": solution.log.fixed,
        "iterations": solution.log.lp_iterations,
        "cuts": solution.log.cuts,
        "phases": solution.log.phases,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "features": solution.features.tolist(),
    }


def instances(deadline_s: float, only: list[str]) -> None:
    for name in only or sorted(path.stem for path in DATA.glob("*.npz")):
        show(f"{name} {deadline_s:g}s", run(load(name), deadline_s))


def naive(deadline_s: float, only: list[str]) -> None:
    for name in only or ["adapter-256x100-released", "adapter-768x200-released"]:
        for solver, model in NAIVE.items():
            begin = time.process_time()
            value, bound = model(load(name), deadline_s)
            gap = None if value is None or bound is None else (bound - value) / abs(value)
            row = {"objective": value, "bound": bound, "gap": gap, "cpu_s": time.process_time() - begin}
            keep(f"{name} {solver} {deadline_s:g}s", row)
            print(f"{name} {solver}: {row}", flush=True)


def beside(deadline_s: float, only: list[str]) -> None:
    for name in only or sorted(path.stem for path in DATA.glob("*.npz")):
        instances(deadline_s, [name])
        naive(deadline_s, [name])


def growth(deadline_s: float, only: list[str]) -> None:
    base = {"n": 512, "n_classes": 200, "n_features": 50, "features_per_class": 5}
    sizes = [{**base, "n": n} for n in (128, 256, 512, 1024, 2048)]
    sizes += [{**base, "n_classes": c} for c in (50, 100, 400, 1000)]
    sizes += [{**base, "n_features": m} for m in (20, 35, 80)]
    sizes += [{**base, "features_per_class": k} for k in (3, 8, 12)]
    sizes += [{**base, "n": 2048, "n_classes": 1000}]
    for size in sizes:
        name = "growth " + " ".join(f"{key}={value}" for key, value in size.items())
        if not only or any(word in name for word in only):
            show(name, run(made(**size), deadline_s, gap=0.005))


def distance(a: tuple[int, int], b: tuple[int, int]) -> float:
    """How far two settings (n_features, features_per_class) are apart."""
    return abs(np.log(a[0] / b[0])) + abs(np.log(a[1] / b[1])) / 2


def sweep(deadline_s: float, only: list[str]) -> None:
    """25 settings cold and warm to the same gap: pairs as given, or by each N's own threshold (`own`)."""
    gap = 0.005
    for kind in only or ["given"]:
        solved: dict[tuple[int, int], Solution] = {}
        cold_s, warm_s, rows = 0.0, 0.0, []
        for m in (50, 60, 40, 30, 20):
            for k in (5, 6, 7, 4, 3):
                problem = load("adapter-512x200-released", m, k)
                if kind == "own":
                    pairs, _ = penalised_pairs(problem.relevance, m)
                    problem = Problem(problem.relevance, pairs, problem.bias, m, k)
                cold = solve(problem, deadline_s=deadline_s, gap=gap, clock="cpu", effort=None)
                warm = cold
                if solved:
                    start = solved[min(solved, key=lambda other: distance((m, k), other))]
                    limits = {"deadline_s": deadline_s, "gap": gap, "effort": None}
                    warm = solve(problem, warm_start=start, clock="cpu", **limits)
                solved[m, k] = warm
                cold_s, warm_s = cold_s + cold.seconds, warm_s + warm.seconds
                rows.append([m, k, cold.seconds, cold.gap, cold.objective, warm.seconds, warm.gap, warm.objective])
                print(
                    f"{kind} N={m} k={k} cold {cold.seconds:.2f} s {100 * cold.gap:.3f} % "
                    f"warm {warm.seconds:.2f} s {100 * warm.gap:.3f} %",
                    flush=True,
                )
        ratios = [row[2] / row[5] for row in rows[1:]]
        total = {"cold_s": cold_s, "warm_s": warm_s, "mean_ratio": float(np.mean(ratios)), "rows": rows}
        keep(f"sweep {kind} {deadline_s:g}s", total)
        print(f"sweep {kind}: cold {cold_s:.1f} s, warm {warm_s:.1f} s, mean ratio {np.mean(ratios):.2f}", flush=True)


def keep(name: str, row: dict[str, Any]) -> None:
    """Merge one result into the file at once: a stopped run keeps what it has."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[name] = {**row, "cores": os.cpu_count(), "machine": platform.machine(), "date": f"{datetime.now(UTC):%F}"}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def show(name: str, row: dict[str, Any]) -> None:
    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.3f}"

    keep(name, row)
    marks = " ".join(percent(value) for value in row["gap_at"].values())
    times = " ".join("-" if value is None else f"{value:.1f}" for value in row["time_to"].values())
    print(
        f"{name}: gap % at {'/'.join(row['gap_at'])} s: {marks}; end {percent(row['gap'])}; s to 1/.5/.1 %: {times}; "
        f"nodes {row['nodes']}; objective {row['objective']:.4f}; {row['cpu_s']:.1f} cpu s, "
        f"{row['wall_s']:.1f} wall s, {row['peak_mib']:.0f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["instances", "beside", "naive", "growth", "sweep"])
    parser.add_argument("--deadline", type=float, default=60.0)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    work = {"instances": instances, "beside": beside, "naive": naive, "growth": growth, "sweep": sweep}[arguments.what]
    work(arguments.deadline, arguments.only)


if __name__ == "__main__":
    main()
