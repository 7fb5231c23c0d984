"""A search beside the pipeline one would write first: python -m benchmarks.pipeline [RECIPE] [overrides]

The same 24 trials at three widths twice, or those of a smaller grid (`'space={..}' budget.trials=N`). `naive` is a
function given to Ray Tune that runs all stages of its trial one after the other, with the same code, and shares nothing
with other trials but the feature bank. Ours is the whole search: proposals, ledger, stage cache, artifacts, MLflow.
Both have the same Ray, the same trials at a time and the same threads; Ray, the bank and the libraries of the driver
are ready before the clock starts. Turns alternate (--repeat), and both must give the same values for the same
parameters. Run it on a quiet machine.
"""

import argparse
import contextlib
import importlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune

from benchmarks.empty_stages import running_ray
from benchmarks.machine import keep
from tuner.base.progress import Silent
from tuner.recipe import Recipe, load_recipe, objectives_of
from tuner.search.driver import driver
from tuner.search.driver.interrupts import Interrupts
from tuner.search.execute.banks import ensure_bank
from tuner.search.execute.plan import plan_trial
from tuner.search.record.home import SearchHome
from tuner.search.session.connect import connect_ray
from tuner.search.session.precision import settle_precision
from tuner.store import Lease, open_store

TRIALS = 24  # all points of a space
SPACES = {
    "digits": {"n_features": [10, 15, 20, 25], "features_per_class": [3, 4], "width": [48, 64, 96]},
    "cub50": {"n_features": [20, 30, 40, 50], "features_per_class": [4, 5], "width": [128, 256, 512]},
}
Values = dict[tuple[Any, ...], list[float]]


def ours(folder: Path, recipe: Recipe, made: Path) -> tuple[float, Values]:
    """Seconds of a whole search, and the objective values of each point."""
    home, bank = prepared(folder, recipe, made)
    driver.ray_for = running_ray
    started = time.perf_counter()
    with (
        Lease(home.store, home.name, "the benchmark") as lease,
        contextlib.closing(driver.Driver(home, recipe, bank, (), Silent(), lease, Interrupts())) as driving,
    ):
        driving.run()
        trials = driving.state.trials.values()
    seconds = time.perf_counter() - started
    return seconds, {point(recipe, t.params): objectives(recipe, t.values) for t in trials}


def naive(folder: Path, recipe: Recipe, made: Path) -> tuple[float, Values]:
    """Seconds of as many trials, each of which runs its stages alone, and the objective values of each point."""
    _, bank = prepared(folder, recipe, made)
    names = list(recipe.space)
    cores = int(recipe.resources.dense.cpus)

    def trial(config: dict[str, Any]) -> None:
        from tuner.search.execute.worker import run_stage

        own = folder / "trials" / tune.get_context().get_trial_id()
        shutil.copytree(made, own, copy_function=os.link)
        for spec in plan_trial(recipe, bank, config):
            result = run_stage(spec, str(own), own / "scratch", cores)
            assert result.outcome == "complete", result.cause
        tune.report(result.values)
        shutil.rmtree(own)

    started = time.perf_counter()
    results = tune.Tuner(
        tune.with_resources(trial, {"cpu": cores}),
        param_space={name: tune.grid_search(recipe.space[name]["choices"]) for name in names},
        tune_config=tune.TuneConfig(max_concurrent_trials=recipe.budget.parallel),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    ).fit()
    seconds = time.perf_counter() - started
    assert not results.errors
    return seconds, {point(recipe, r.config or {}): objectives(recipe, r.metrics or {}) for r in results}


def prepared(folder: Path, recipe: Recipe, made: Path) -> tuple[SearchHome, str]:
    """A search in a copy of a store that has the feature bank already."""
    store = folder / "store"
    shutil.copytree(made, store, copy_function=os.link)
    home = SearchHome(open_store(str(store)), "pipeline")
    bank = ensure_bank(home.artifacts, recipe, Silent())
    home.start(recipe, bank)
    return home, bank


def point(recipe: Recipe, params: Mapping[str, Any]) -> tuple[Any, ...]:
    """Searched parameters, in order."""
    return tuple(params[name] for name in recipe.space)


def objectives(recipe: Recipe, values: Mapping[str, float]) -> list[float]:
    """Values of the objectives that are metrics."""
    return [values[o.name] for o in objectives_of(recipe) if o.name in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="digits", choices=sorted(SPACES))
    parser.add_argument("overrides", nargs="*", help="fields of the recipe")
    parser.add_argument("--repeat", type=int, default=3, help="turns of each")
    options = parser.parse_intermixed_args()
    space = {name: {"choices": choices} for name, choices in SPACES[options.recipe].items()}
    settings = [f"space={json.dumps(space)}", f"budget.trials={TRIALS}", "budget.parallel=2", "confirm.seeds=1"]
    recipe = settle_precision(load_recipe(options.recipe, [*settings, *options.overrides]))
    turns: dict[str, list[float]] = {"naive": [], "ours": []}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["QPM_TUNER_CACHE"] = str(root / "cache")
        ensure_bank(SearchHome(open_store(str(root / "first")), "bank").artifacts, recipe, Silent())
        with connect_ray(recipe.resources):
            ray.get(ray.remote(load).options(num_cpus=0).remote())
            for turn in range(options.repeat):
                found = {}
                for case, run in (("naive", naive), ("ours", ours)):
                    seconds, found[case] = run(root / f"{case}{turn}", recipe, root / "first")
                    turns[case].append(seconds)
                    print(f"{case}: {seconds:.1f} s", flush=True)
                assert found["naive"] == found["ours"], "the two do not compute the same"
    ratios = [slow / fast for slow, fast in zip(turns["naive"], turns["ours"], strict=True)]
    trials, times = len(found["ours"]), statistics.median(ratios)
    print(f"{trials} trials, ours {times:.2f} times as fast ({[round(r, 2) for r in ratios]})")
    figures = {"trials": trials, "overrides": options.overrides, "seconds": turns, "ratios": ratios}
    print("kept in", keep(f"pipeline-{options.recipe}", figures))


def load() -> None:
    """Load what stages need, so that the first turn does not read it from the disk."""
    importlib.import_module("tuner.search.execute.runners")


if __name__ == "__main__":
    main()
