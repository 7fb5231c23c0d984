"""What samplers, budgets and early stopping are worth, by replaying a tabulated search: python -m benchmarks.search

Nothing is trained. The figure is the hypervolume of the trials so far, in % of that of the table's own front: mean and
standard deviation over the seeds. The parts (`--parts`):

- `samplers`: each after some numbers of trials;
- `budgets`: what so many trials of the default sampler buy, and with how many seeds;
- `stopping`: what early stopping saves and what it gains at equal cost (`benchmarks.stopping`).

`--lags` compares lags instead: what a proposal loses by knowing less, and what slots idle where trials take very
different times.
"""

import argparse
import functools
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Shown

from benchmarks.machine import keep
from benchmarks.replay import OBJECTIVES, TABLE, Merit, table
from tuner.recipe import load_recipe
from tuner.search.propose.proposer import Proposer
from tuner.search.record.state import TrialRecord

PARTS = ("samplers", "budgets", "stopping")
SAMPLERS = ("tpe", "nsga2", "random", "qmc", "grid")  # gp takes fifty times as long: name it
MARKS = (10, 16, 20, 40, 60)
BUDGETS = (10, 16, 24, 32, 40, 50, 60)  # trials
GOOD = (70, 80, 90)  # % of the table's hypervolume
WIDTH = 120  # columns, also where nobody looks at a terminal
N_CLASSES = 10
SLOW = (0.0, 0.02, 0.05)  # shares of trials that take ten times as long as others
LAGS = (1, 4, 5, 6, 7, 10, 16)


def search(path: Path, overrides: Sequence[str], trials: int, seed: int) -> list[dict[str, float]]:
    """The results of a search's trials, in order; each proposal knows what its lag lets it know."""
    recipe = load_recipe("digits", [f"objectives=[{', '.join(OBJECTIVES)}]", f"seed={seed}", *overrides])
    proposer, found = Proposer(recipe, N_CLASSES), dict[int, TrialRecord]()
    for number in range(trials):
        params = proposer.propose(number, found)
        if params is None:
            break
        found[number] = TrialRecord(number, params, "complete", values=table(path).at(params).values)
    return [trial.values for trial in found.values()]


def merits(path: Path, overrides: Sequence[str], marks: Sequence[int], seed: int) -> tuple[list[float], float]:
    """The merit after each number of trials, and CPU seconds per proposal."""
    merit, started = Merit(table(path)), time.process_time()
    results = search(path, overrides, max(marks), seed)
    seconds = (time.process_time() - started) / len(results)
    return [merit.percent(results[:mark]) for mark in marks], seconds


def idle(lag: int, parallel: int, trials: int, seed: int, slow: float) -> float:
    """Share of the time of all slots, in %, that they idle, where a share `slow` of the trials takes ten times as long.

    Durations are log-normal with a sigma of 0.5. A trial starts when a slot is free, all trials before it have started,
    and all up to `number - lag` have ended.
    """
    rng = np.random.default_rng([seed, 7])
    lasting = rng.lognormal(0.0, 0.5, trials) * np.where(rng.random(trials) < slow, 10.0, 1.0)
    free, ends, start = [0.0] * parallel, np.zeros(trials), 0.0
    for number in range(trials):
        known = ends[: max(0, number - lag + 1)].max(initial=0.0)
        slot = int(np.argmin(free))
        start = max(start, free[slot], known)
        free[slot] = ends[number] = start + lasting[number]
    return float(100.0 * (1.0 - lasting.sum() / (parallel * max(ends))))


def every(work: Callable[[int], Any], seeds: int, workers: int) -> list[Any]:
    """The work of all seeds."""
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(work, range(seeds)))


def samplers(given: argparse.Namespace, rows: Sequence[tuple[str, list[str], int]]) -> dict[str, Any]:
    """Print and return the merit after some numbers of trials, a row each: its name, its settings, its lag or 0."""
    shown = Shown(title=f"{given.seeds} seeds, hypervolume in % of the table's front, ± standard deviation")
    slow = SLOW if any(lag for _, _, lag in rows) else ()
    heads = ["", *(f"{mark} trials" for mark in given.trials), "CPU ms a proposal"]
    for column in (*heads, *(f"idle %, {100 * share:g} % slow" for share in slow)):
        shown.add_column(column, justify="right")
    figures = {}
    for name, settings, lag in rows:
        work = functools.partial(merits, given.table, [*settings, *given.set], given.trials)
        found = every(work, given.seeds, given.workers)
        values, ms = np.array([row for row, _ in found]), 1000 * float(np.mean([seconds for _, seconds in found]))
        waits = {share: [idle(lag, 4, 200, s, share) for s in range(given.seeds)] for share in slow if lag >= 4}
        shown.add_row(name, *map(told, values.T), f"{ms:.1f}", *(f"{np.mean(w):.0f}" for w in waits.values()))
        figures[name] = {"trials": list(given.trials), "percent": values.tolist(), "ms": ms, "idle": waits}
    Console(width=WIDTH).print(shown)
    return figures


def budgets(given: argparse.Namespace) -> dict[str, Any]:
    """Print and return what so many trials of the default sampler buy, and how often that is a front worth having."""
    shown = Shown(title=f"{given.seeds} seeds, hypervolume in % of the table's front")
    for column in (
        "trials",
        "mean ± standard deviation",
        "worst tenth of the seeds",
        *(f"seeds with {g} %" for g in GOOD),
    ):
        shown.add_column(column, justify="right")
    found = every(functools.partial(merits, given.table, given.set, BUDGETS), given.seeds, given.workers)
    values = np.array([row for row, _ in found])
    for budget, reached in zip(BUDGETS, values.T, strict=True):
        good = [f"{(reached >= least).sum()} of {given.seeds}" for least in GOOD]
        shown.add_row(str(budget), told(reached), f"{np.quantile(reached, 0.1):.0f}", *good)
    Console(width=WIDTH).print(shown)
    return {"trials": BUDGETS, "percent": values.tolist()}


def stopping(given: argparse.Namespace) -> None:
    """What early stopping saves, and what it gains at equal cost: `benchmarks.stopping`, which keeps nothing here."""
    asked = ["--seeds", str(given.seeds), "--trials", str(given.stopped), "--workers", str(given.workers)]
    subprocess.run([sys.executable, "-m", "benchmarks.stopping", str(given.table), *asked], check=True)


def told(values: np.ndarray) -> str:
    """Mean and standard deviation over the seeds."""
    deviation = f"{values.std(ddof=1):.0f}" if len(values) > 1 else "?"
    return f"{values.mean():.0f} ± {deviation}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--set", nargs="+", default=[], metavar="SETTING", help="of all searches: sampler.startup=5")
    parser.add_argument("--samplers", nargs="+", default=SAMPLERS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, nargs="+", default=MARKS)
    parser.add_argument("--stopped", type=int, default=40, help="trials of the searches with early stopping")
    parser.add_argument("--lags", type=int, nargs="*", help="compare lags of the first sampler instead, 4 at a time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--name", default="search", help="of the file of figures")
    given = parser.parse_args()
    figures: dict[str, Any] = {"seeds": given.seeds, "set": given.set}
    if given.lags is not None:
        first = f"sampler.name={given.samplers[0]}"
        rows = [(f"lag {lag}", [first, f"sampler.lag={lag}"], lag) for lag in given.lags or LAGS]
        figures["rows"] = samplers(given, rows)
        given.parts = ()
    if "samplers" in given.parts:
        figures["rows"] = samplers(given, [(name, [f"sampler.name={name}"], 0) for name in given.samplers])
    if "budgets" in given.parts:
        figures["budgets"] = budgets(given)
    print("kept in", keep(given.name, figures), flush=True)
    if "stopping" in given.parts:
        stopping(given)


if __name__ == "__main__":
    main()
