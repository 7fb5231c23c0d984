"""What each sampler is worth, by replaying a tabulated search: python -m benchmarks.search [TABLE]

Nothing is trained. Shown is the hypervolume of all trials so far, in % of that of the table's own front, after some
numbers of trials: mean and standard deviation over the seeds. `--lags` compares lags instead: what a proposal loses by
knowing less, and what slots idle where trials take very different times.
"""

import argparse
import functools
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

SAMPLERS = ("tpe", "nsga2", "random", "qmc", "grid")  # gp takes fifty times as long: name it
MARKS = (10, 16, 20, 40, 60)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    parser.add_argument("--set", nargs="+", default=[], metavar="SETTING", help="of all searches: sampler.startup=5")
    parser.add_argument("--samplers", nargs="+", default=SAMPLERS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, nargs="+", default=MARKS)
    parser.add_argument("--lags", type=int, nargs="*", help="compare lags of the first sampler, 4 trials at a time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--name", default="search", help="of the file of figures")
    asked = parser.parse_args()
    shown = Shown(title=f"{asked.seeds} seeds, hypervolume in % of the table's front, +- standard deviation")
    for column in (
        "",
        *(f"{mark} trials" for mark in asked.trials),
        "ms per proposal",
        *(f"idle %, {100 * slow:g} % slow" for slow in SLOW if asked.lags is not None),
    ):
        shown.add_column(column, justify="right")
    rows = [(name, [f"sampler.name={name}"], 0) for name in asked.samplers]
    if asked.lags is not None:
        rows = [
            (f"lag {lag}", [f"sampler.name={asked.samplers[0]}", f"sampler.lag={lag}"], lag)
            for lag in asked.lags or LAGS
        ]
    figures = {}
    for name, settings, lag in rows:
        work = functools.partial(merits, asked.table, [*settings, *asked.set], asked.trials)
        found = every(work, asked.seeds, asked.workers)
        values = np.array([row for row, _ in found])
        waits = {slow: [idle(lag, 4, 200, s, slow) for s in range(asked.seeds)] for slow in SLOW if lag >= 4}
        cost = 1000 * float(np.mean([seconds for _, seconds in found]))
        told = [f"{m:.0f} +- {d:.0f}" for m, d in zip(values.mean(axis=0), values.std(axis=0, ddof=1), strict=True)]
        shown.add_row(name, *told, f"{cost:.0f}", *(f"{np.mean(w):.0f}" for w in waits.values()))
        figures[name] = {"trials": list(asked.trials), "percent": values.tolist(), "ms": cost, "idle": waits}
    Console(width=110).print(shown)
    print("kept in", keep(asked.name, {"seeds": asked.seeds, "set": asked.set, "rows": figures}))


if __name__ == "__main__":
    main()
