"""A tiny but real search, for every test that needs one: real digits, real stages, real Ray, real MLflow.

Starting Ray and filling MLflow cost a tiny search more than its trials: modules with several searches share one Ray
(`one_ray`), and searches whose MLflow nobody looks at do without (`WITHOUT_MLFLOW`).
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from tuner.base.progress import ConsoleProgress
from tuner.recipe import Recipe, ResourcesConfig, load_recipe
from tuner.search.driver.run import SearchRequest, run_request
from tuner.search.record.home import SearchHome
from tuner.search.session.connect import connect_ray
from tuner.search.watch.result import SearchResult
from tuner.store import open_store

TINY = (
    "adapter.hidden=32",
    "adapter.n_layers=2",
    "dense.epochs=2",
    "finetune.epochs=2",
    "assign.effort=20000",
    "assign.gap=0",
    "space={n_features: {choices: [6, 9]}, features_per_class: {choices: [2, 3]}, width: {choices: [24]}}",
    "budget.parallel=2",
    "confirm.seeds=1",
)

WITHOUT_MLFLOW = "tracking.enabled=false"


@contextlib.contextmanager
def one_ray() -> Iterator[None]:
    """One Ray for all searches of the block, which is started as a search starts its own."""
    with connect_ray(ResourcesConfig()):
        yield


def tiny_recipe(*overrides: str) -> Recipe:
    """The digits recipe, as small as it can be."""
    return load_recipe("digits", [*TINY, *overrides])


def run_tiny(root: Path, name: str = "tiny", *overrides: str, **request: object) -> tuple[SearchResult, str]:
    """Run it in this process; returns the result and what was printed."""
    console = Console(file=io.StringIO(), width=160)
    recipe = tiny_recipe("budget.trials=3", *overrides)
    request_made = SearchRequest(open_store(str(root)), name, recipe, **request)  # type: ignore[arg-type]
    result = run_request(request_made, ConsoleProgress(console))
    return result, console.file.getvalue()  # type: ignore[attr-defined]


def home(root: Path, name: str = "tiny") -> SearchHome:
    """A search in a folder."""
    return SearchHome(open_store(str(root)), name)


def mlflow_runs(root: Path, name: str = "tiny") -> tuple[Any, list[Any]]:
    """What the MLflow file beside a store holds of a search: a client, and the runs."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(name)
    return client, client.search_runs([experiment.experiment_id], max_results=100)


def damage(root: Path, kind: str, key: str, name: str) -> bytes:
    """Spoil the end of a file of an artifact; returns what it was."""
    file = next((root / kind / key).rglob(name))
    whole = file.read_bytes()
    file.write_bytes(whole[:-8] + bytes(8))
    return whole
