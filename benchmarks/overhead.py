"""The overhead of a search over Ray Tune: python -m benchmarks.overhead [--trials 200] [--parallel 4] [--repeat 3]

A search of many trials with empty stages, on a local store and on S3, beside plain Ray Tune in two forms: `plain`, as
many trials of a function that only reports two numbers, and `tasks`, of one that first runs four empty Ray tasks, one
after the other. Actors are reused, nothing is logged, equally many trials at a time: by default as many as a recipe's
default. One Ray for each case, with the same settings, started before the clock; the cases take turns. Ours includes
everything a search does: four stages a trial, their artifacts, Optuna's proposals, the ledger, and MLflow unless
--no-tracking; what MLflow still misses when the last trial has ended is shown apart.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import ray
from ray import tune

from benchmarks.empty_stages import prepare, recipe_of, run
from benchmarks.machine import keep
from cluster import s3
from tuner.recipe import BudgetConfig, Recipe
from tuner.search.session.connect import connect_ray
from tuner.store import Store, open_store

BUCKET = "benchmark"


def empty() -> None:
    """A task of the plain kind."""


def ours(store: Store, recipe: Recipe) -> tuple[float, float]:
    """Seconds of a whole driver's turn, and seconds more until MLflow shows it all."""
    home, bank = prepare(store, recipe)
    with connect_ray(recipe.resources):
        return run(home, recipe, bank)


def plain_tune(recipe: Recipe, folder: Path, tasks: int = 0) -> float:
    """Seconds of Ray Tune alone, each trial running some empty tasks one after the other."""

    parallel = recipe.budget.parallel

    def trial(config: dict[str, Any]) -> None:
        for _ in range(tasks):
            ray.get(ray.remote(empty).options(num_cpus=0, scheduling_strategy="DEFAULT").remote())
        tune.report({"accuracy": config["x"], "interpretability": 1 - config["x"]})

    with connect_ray(recipe.resources):
        started = time.perf_counter()
        results = tune.Tuner(
            tune.with_resources(trial, {"cpu": os.cpu_count() / parallel}),
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(
                num_samples=recipe.budget.trials, max_concurrent_trials=parallel, reuse_actors=True
            ),
            run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
        ).fit()
        seconds = time.perf_counter() - started
    assert not results.errors
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--parallel", type=int, default=BudgetConfig().parallel, help="trials at a time")
    parser.add_argument("--repeat", type=int, default=3, help="turns of each case")
    parser.add_argument("--no-tracking", action="store_true", help="without MLflow")
    options = parser.parse_args()
    recipe = recipe_of(options.trials, options.parallel, not options.no_tracking)
    seconds: dict[str, list[float]] = {case: [] for case in ("plain", "tasks", "local", "s3", "mlflow")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = s3.start(folder / "s3", BUCKET)
        os.environ |= {**server.environment(), "QPM_TUNER_CACHE": str(folder / "cache")}
        try:
            for turn in range(options.repeat):
                seconds["plain"].append(plain_tune(recipe, folder / f"plain{turn}"))
                seconds["tasks"].append(plain_tune(recipe, folder / f"tasks{turn}", tasks=4))
                for case, url in (("local", str(folder / f"runs{turn}")), ("s3", f"s3://{BUCKET}/runs{turn}")):
                    turn_s, mlflow_s = ours(open_store(url), recipe)
                    seconds[case].append(turn_s)
                seconds["mlflow"].append(mlflow_s)
                print({case: round(values[-1], 2) for case, values in seconds.items()}, flush=True)
        finally:
            s3.stop(folder / "s3")
    medians = {case: statistics.median(values) for case, values in seconds.items()}
    figures: dict[str, Any] = {"trials": options.trials, "parallel": options.parallel}
    figures |= {"tracking": not options.no_tracking, "seconds": seconds}
    for case, target in (("local", 1.3), ("s3", 1.6)):
        ratios = {base: medians[case] / medians[base] for base in ("plain", "tasks")}
        figures[f"{case}_ratio"] = ratios
        print(f"{case}: {ratios['plain']:.2f} times `plain`, {ratios['tasks']:.2f} times `tasks` (asked: {target})")
    print(f"after the last trial MLflow is level with the ledger in {medians['mlflow']:.1f} s")
    print("kept in", keep("overhead", figures))


if __name__ == "__main__":
    main()
