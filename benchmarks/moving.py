"""How often a front moves after it was said to stand still: python -m benchmarks.moving [TABLE]

Nothing is trained: searches are replayed from a table. Whenever the last so many trials have added at most 1 % to the
hypervolume, a search is said to stand still. Shown is how often that is said, in how many of these cases the next ten
trials add more than 1 %, and what is still to be gained until trial 80 where it is said for the first time.
"""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Shown

from benchmarks.machine import keep
from benchmarks.replay import TABLE
from benchmarks.search import every, search
from tuner.front.hypervolume import FIRST_TRIALS, MOVES, history, reference_of
from tuner.front.pareto import Point
from tuner.recipe import load_recipe, objectives_of

OBJECTIVES = (("accuracy", "interpretability"), ("accuracy", "plausibility_undilated", "features_per_class_used"))
SAMPLERS = ("tpe", "random")
WINDOWS = (10, 15, 20, 25)
TRIALS, AHEAD = 80, 10


def volumes(path: Path, objectives: Sequence[str], sampler: str, seed: int) -> list[float]:
    """The hypervolume after each trial of a search."""
    wanted = [f"objectives=[{', '.join(objectives)}]", f"sampler.name={sampler}"]
    points = [Point(n, {}, values) for n, values in enumerate(search(path, wanted, TRIALS, seed))]
    axes = objectives_of(load_recipe("digits", wanted))
    return history(points, axes, reference_of(points[:FIRST_TRIALS], axes, {}))


def judged(curves: Sequence[Sequence[float]], window: int) -> dict[str, float]:
    """How often it is said, how often that was wrong, and what was left to gain, in %."""
    looks, said, wrong, left = 0, 0, 0, list[float]()
    for curve in curves:
        first = True
        for n in range(window + FIRST_TRIALS, TRIALS - AHEAD + 1):
            looks += 1
            if 1 - curve[n - 1 - window] / curve[n - 1] > MOVES:
                continue
            said += 1
            wrong += 1 - curve[n - 1] / curve[n - 1 + AHEAD] > MOVES
            left += [100 * (1 - curve[n - 1] / curve[-1])] if first else []
            first = False
    found = {"said": 100 * said / looks, "wrong": 100 * wrong / max(said, 1)}
    return found | {"searches": len(left), "left": float(np.mean(left)) if left else 0.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    shown = Shown(title=f"{asked.seeds} seeds, {TRIALS} trials each")
    for column in ("objectives", "sampler", "last", "said, % of looks", "wrong, %", "searches", "left to gain, %"):
        shown.add_column(column, justify="right")
    figures = {}
    for objectives in OBJECTIVES:
        for sampler in SAMPLERS:
            curves = every(functools.partial(volumes, asked.table, objectives, sampler), asked.seeds, asked.workers)
            for window in WINDOWS:
                found = judged(curves, window)
                told = [f"{found[name]:.0f}" for name in ("said", "wrong", "searches")]
                shown.add_row(str(len(objectives)), sampler, str(window), *told, f"{found['left']:.1f}")
                figures[f"{len(objectives)} {sampler} {window}"] = found
    Console(width=110).print(shown)
    print("kept in", keep("moving", {"seeds": asked.seeds, "rows": figures}))


if __name__ == "__main__":
    main()
