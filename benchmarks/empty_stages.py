"""Searches whose stages publish an artifact and otherwise sleep: what is left is the cost of running a search."""

import contextlib
import io
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from rich.console import Console

from tuner.recipe import Recipe, ResourcesConfig, StageResources, load_recipe
from tuner.search import drive
from tuner.search.banks import ensure_bank
from tuner.search.connect import settle_resources
from tuner.search.home import SearchHome
from tuner.search.plan import StageSpec
from tuner.search.stages import ON_THE_HEAD, StageBroker
from tuner.search.values import VALUES_FILE
from tuner.store import Store, open_artifacts

# Dense stages differ from trial to trial, too: nothing is shared.
SPACE = (
    "{n_features: {low: 6, high: 60}, features_per_class: {choices: [2, 3, 4]}, width: {choices: [64, 128]}, "
    "dense.lr: {low: 0.0001, high: 0.1, log: true}}"
)


def empty_stage(spec: StageSpec, store_url: str, sleep_s: float) -> dict[str, Any]:
    """Publishes an artifact as any stage does; its metrics are drawn by its key."""
    time.sleep(sleep_s)
    with tempfile.TemporaryDirectory() as folder:
        values = {name: int(spec.key[i : i + 4], 16) / 65536 for i, name in ((0, "accuracy"), (4, "interpretability"))}
        (Path(folder) / VALUES_FILE).write_text(json.dumps(values))
        open_artifacts(store_url).publish(spec.kind, spec.key, Path(folder), {"seconds": sleep_s})
    return {"outcome": "complete", "cause": None, "seconds": sleep_s}


class EmptyStages(StageBroker):
    """The broker, its stages replaced."""

    def __init__(self, store_url: str, scratch: str, resources: dict[str, StageResources], sleep_s: float) -> None:
        super().__init__(store_url, scratch, resources)
        self._sleep_s = sleep_s

    def _start(self, spec: StageSpec, options: dict[str, Any]) -> Any:
        return ray.remote(empty_stage).options(**options).remote(spec, self._url, self._sleep_s)


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


def run(home: SearchHome, recipe: Recipe, bank: str, sleep_s: float = 0.0) -> float:
    """Seconds of a driver's turn on the Ray that is running."""

    def start(store_url: str, scratch: Path, resources: dict[str, StageResources]) -> Any:
        actor = ray.remote(EmptyStages).options(num_cpus=0, max_concurrency=1, resources=ON_THE_HEAD)
        return actor.remote(store_url, str(scratch), resources, sleep_s)

    drive.start_broker = start
    drive.connect_ray = running_ray
    started = time.perf_counter()
    turn = drive.Drive(home, recipe, bank, (), Console(file=io.StringIO()), lambda: False)
    turn.run()
    seconds = time.perf_counter() - started
    assert turn.state.counts() == {"complete": recipe.budget.trials}, turn.state.counts()
    return seconds


@contextlib.contextmanager
def running_ray(resources: ResourcesConfig) -> Iterator[dict[str, StageResources]]:
    """In place of `connect_ray`: Ray is started and ended by the benchmark, outside the clock."""
    yield settle_resources(resources, ray.cluster_resources(), grows=False)
