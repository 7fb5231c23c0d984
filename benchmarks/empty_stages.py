"""Searches whose stages publish an artifact and otherwise sleep: what is left is the cost of running a search."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ray

from benchmarks.empty_broker import EmptyStages
from tuner.base.progress import Progress, Silent
from tuner.recipe import Recipe, ResourcesConfig, StageResources, load_recipe
from tuner.search.driver import driver
from tuner.search.driver.interrupts import Interrupts
from tuner.search.execute.banks import ensure_bank
from tuner.search.execute.broker import ON_THE_HEAD
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState
from tuner.search.session.connect import settle_resources
from tuner.search.session.precision import settle_precision
from tuner.search.watch.mirror import FLUSH_S
from tuner.store import Lease, Store

# Dense stages differ from trial to trial, too: nothing is shared.
SPACE = (
    "{n_features: {low: 6, high: 60}, features_per_class: {choices: [2, 3, 4]}, width: {choices: [64, 128]}, "
    "dense.lr: {low: 0.0001, high: 0.1, log: true}}"
)

Watching = Callable[[SearchState], contextlib.AbstractContextManager[None]]


def recipe_of(trials: int, parallel: int, tracking: bool) -> Recipe:
    """A recipe for such a search; metrics are those of the test split, so that nothing follows the trials."""
    overrides = [f"space={SPACE}", f"budget.trials={trials}", f"budget.parallel={parallel}", "protocol=paper"]
    return settle_precision(load_recipe("digits", [*overrides, f"tracking.enabled={str(tracking).lower()}"]))


def prepare(store: Store, recipe: Recipe) -> tuple[SearchHome, str]:
    """Extract the feature bank and start the search, outside the clock."""
    home, quiet = SearchHome(store, "empty"), Silent()
    bank = ensure_bank(home.artifacts, recipe, quiet)
    home.start(recipe, bank)
    return home, bank


def run(
    home: SearchHome,
    recipe: Recipe,
    bank: str,
    sleep_s: float = 0.0,
    flush_s: float = FLUSH_S,
    watching: Watching = lambda state: contextlib.nullcontext(),
) -> tuple[float, float]:
    """Seconds of a driver's turn on the Ray that is running, and seconds more until MLflow shows all of it.

    Args:
        home: the search.
        recipe: of `recipe_of`.
        bank: key of its feature bank.
        sleep_s: how long each stage sleeps.
        flush_s: how long MLflow may take for what is left at the end.
        watching: entered with the search's state while the turn lasts.
    """

    def start(store_url: str, scratch: Path, resources: dict[str, StageResources], retries: int = 0) -> BrokerHandle:
        actor = ray.remote(EmptyStages).options(num_cpus=0, resources=ON_THE_HEAD)
        return BrokerHandle(actor.remote(store_url, str(scratch), resources, sleep_s))

    driver.start_broker = start
    driver.ray_for = running_ray
    started = time.perf_counter()
    progress = Silent()
    with (
        Lease(home.store, home.name, "the benchmark") as lease,
        contextlib.closing(driver.Driver(home, recipe, bank, (), progress, lease, Interrupts())) as driving,
    ):
        mirror = driving.shown._mirror
        with watching(driving.state):
            driving.run()
            ended = time.perf_counter()
            if mirror is not None:
                mirror.close(flush_s)
        if mirror is not None:
            warning = mirror.warning or "no curve"  # empty stages leave no learning curves
            assert warning.startswith("no curve"), warning
    assert driving.state.counts() == {"complete": recipe.budget.trials}, driving.state.counts()
    return ended - started, time.perf_counter() - ended


@contextlib.contextmanager
def running_ray(resources: ResourcesConfig, progress: Progress) -> Iterator[dict[str, StageResources]]:
    """In place of `ray_for`: Ray is started and ended by the benchmark, outside the clock."""
    yield settle_resources(resources, ray.cluster_resources(), grows=False)
