"""Searches whose stages publish an artifact and otherwise sleep: what is left is the cost of running a search."""

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from rich.console import Console

from benchmarks.empty_broker import EmptyStages
from tuner.recipe import Recipe, ResourcesConfig, StageResources, load_recipe
from tuner.search import drive
from tuner.search.banks import ensure_bank
from tuner.search.connect import settle_resources
from tuner.search.home import SearchHome
from tuner.search.interrupts import Interrupts
from tuner.search.mirror import FLUSH_S
from tuner.search.stages import ON_THE_HEAD
from tuner.store import Store

# Dense stages differ from trial to trial, too: nothing is shared.
SPACE = (
    "{n_features: {low: 6, high: 60}, features_per_class: {choices: [2, 3, 4]}, width: {choices: [64, 128]}, "
    "dense.lr: {low: 0.0001, high: 0.1, log: true}}"
)


def recipe_of(trials: int, parallel: int, tracking: bool) -> Recipe:
    """A recipe for such a search; metrics are those of the test split, so that nothing follows the trials."""
    overrides = [f"space={SPACE}", f"budget.trials={trials}", f"budget.parallel={parallel}", "protocol=paper"]
    return load_recipe("digits", [*overrides, f"tracking.enabled={str(tracking).lower()}"])


def prepare(store: Store, recipe: Recipe) -> tuple[SearchHome, str]:
    """Extract the feature bank and start the search, outside the clock."""
    home, quiet = SearchHome(store, "empty"), Console(file=io.StringIO())
    bank = ensure_bank(home.artifacts, recipe, quiet)
    home.start(recipe, bank)
    return home, bank


def run(home: SearchHome, recipe: Recipe, bank: str, sleep_s: float = 0.0) -> tuple[float, float]:
    """Seconds of a driver's turn on the Ray that is running, and seconds more until MLflow shows all of it."""

    def start(store_url: str, scratch: Path, resources: dict[str, StageResources], retries: int = 0) -> Any:
        actor = ray.remote(EmptyStages).options(num_cpus=0, resources=ON_THE_HEAD)
        return actor.remote(store_url, str(scratch), resources, sleep_s)

    drive.start_broker = start
    drive.ray_for = running_ray
    started = time.perf_counter()
    console = Console(file=io.StringIO())
    with contextlib.closing(drive.Drive(home, recipe, bank, (), console, lambda: False, Interrupts())) as turn:
        turn.run()
        ended = time.perf_counter()
        if turn.mirror is not None:
            turn.mirror.close(FLUSH_S)
            warning = turn.mirror.warning or "no curve"  # empty stages leave no learning curves
            assert warning.startswith("no curve"), warning
    assert turn.state.counts() == {"complete": recipe.budget.trials}, turn.state.counts()
    return ended - started, time.perf_counter() - ended


@contextlib.contextmanager
def running_ray(resources: ResourcesConfig, console: Console) -> Iterator[dict[str, StageResources]]:
    """In place of `ray_for`: Ray is started and ended by the benchmark, outside the clock."""
    yield settle_resources(resources, ray.cluster_resources(), grows=False)
