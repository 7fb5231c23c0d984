"""Makes the pieces of a bank on a Ray cluster: Ray Data hands them to a pool of workers, on GPUs where there are any.

Rows hold pieces of work, never tokens: these go from the worker to the store. A worker that dies costs the pieces it
was at; Ray starts another one, which finds in the store what was sealed.
"""

import contextlib
import logging
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import ray
import ray.data
from ray import cloudpickle
from ray.data import DataContext
from ray.data.exceptions import SystemException
from ray.exceptions import RayError

from tuner.base.folders import cache_root
from tuner.base.gpus import gpus_here
from tuner.base.steps import Step as Shown
from tuner.data.settings import DataConfig
from tuner.errors import TunerError
from tuner.features.building import WORDS, Step
from tuner.features.described import BackboneFacts
from tuner.features.pieces import Done, Extractor, Piece
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneSettings
from tuner.recipe import ResourcesConfig, StageResources
from tuner.search.execute.answers import answer, cause_of, of_node
from tuner.search.session.address import LOCAL_RAY, ray_address
from tuner.search.session.folder import as_from, driver_folder
from tuner.search.session.gpu_share import gpu_share
from tuner.store import open_artifacts

MOST_THREADS = 16  # that decode images for one GPU
UNITS: dict[Step, str] = {"mask_facts": "masks", "fits": "training images"}
GROUP = 4  # pieces of a task, so that images are decoded while the piece before is computed
TASKS_OF_A_WORKER = 4  # at least, where there are enough pieces, so that all workers end at about the same time


class Cluster:
    """The workers of the Ray that this process has joined.

    Args:
        store_url: the store that keeps the pieces.
        data: the recipe's data settings.
        backbone: the recipe's backbone settings.
        resources: the recipe's.
        shown: the step whose progress is told.
    """

    def __init__(
        self, store_url: str, data: DataConfig, backbone: BackboneSettings, resources: ResourcesConfig, shown: Shown
    ) -> None:
        self.url, self.shown = store_url, shown
        self.worker = Extractor(backbone, data.name, cache_root() / "extract")
        self.resources = settled(resources.extract)

    def describe(self) -> BackboneFacts:
        """Facts about the backbone, from a node that can extract with it.

        Raises:
            TunerError: that node has no weights for it.
        """
        task = _describe.options(**_options(self.resources)).remote(self.worker, driver_folder())
        facts: BackboneFacts = answer(ray.get(task))
        return facts

    def do(self, step: Step, pieces: Sequence[Piece], done: int, total: int) -> Iterator[Done]:
        """See `Team`.

        Raises:
            TunerError: weights are missing, a disk is full, the store fails, or workers die again and again.
        """
        unit = UNITS.get(step, "images")
        self.shown.at(f"{WORDS[step]}: waiting for a worker")
        n_workers = _n_workers(self.resources, len(pieces))
        size = max(1, min(GROUP, len(pieces) // (TASKS_OF_A_WORKER * n_workers)))
        groups = [pieces[start : start + size] for start in range(0, len(pieces), size)]
        self.shown.recount(done, total, unit)
        try:
            for row in _rows(self, step, groups, n_workers):
                ended: Done = answer(cloudpickle.loads(row["done"]))
                done += ended.images
                self.shown.count(done, total, unit)
                yield ended
        except (RayError, SystemException) as error:  # workers that die again and again; Ray Data's own faults
            raise _failed(error) from error


def settled(asked: StageResources) -> StageResources:
    """The resources of a worker: a share of -1 is what the cluster says, or one GPU where it has any."""
    have = ray.cluster_resources().get("GPU", 0.0)  # type: ignore[no-untyped-call]
    share = gpu_share(have, grows=ray_address() != LOCAL_RAY) if asked.gpus < 0 else asked.gpus
    return StageResources(asked.cpus, share)


def _options(resources: StageResources) -> dict[str, Any]:
    return {"num_cpus": resources.cpus, **({"num_gpus": resources.gpus} if resources.gpus else {})}


def _n_workers(resources: StageResources, n_pieces: int) -> int:
    """Workers that the cluster has room for now, at most one for each piece."""
    have = ray.cluster_resources()  # type: ignore[no-untyped-call]
    by_cpu = have.get("CPU", 0.0) / resources.cpus if resources.cpus else math.inf
    by_gpu = have.get("GPU", 0.0) / resources.gpus if resources.gpus else math.inf
    return int(max(1, min(by_cpu, by_gpu, n_pieces)))


def _rows(cluster: Cluster, step: Step, groups: Sequence[Sequence[Piece]], n_workers: int) -> Iterator[Any]:
    """The results of the groups, as they come."""
    with _quiet():
        rows = [{"pieces": _packed(list(group))} for group in groups]
        work = ray.data.from_items(rows, override_num_blocks=len(rows))
        pool = ray.data.ActorPoolStrategy(min_size=1, max_size=len(groups), initial_size=n_workers)
        results = work.map_batches(
            Worker,
            batch_size=1,
            batch_format="numpy",
            compute=pool,
            fn_constructor_args=(step, cluster.url, cluster.worker, cluster.resources, driver_folder()),
            **_options(cluster.resources),
        )
        yield from results.iter_rows()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data without its own progress bars and log lines; each result is passed on at once."""
    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    before, level = {name: getattr(context, name) for name in _SETTINGS}, logger.level
    for name, value in _SETTINGS.items():
        setattr(context, name, value)
    logger.setLevel(logging.CRITICAL)  # it would tell of errors that are raised here
    try:
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            setattr(context, name, value)


_SETTINGS = {
    "enable_progress_bars": False,
    "enable_operator_progress_bars": False,
    "print_on_execution_start": False,
    "enable_auto_log_stats": False,
    "target_max_block_size": 1,  # bytes: a result is a block of its own, and is not held back
}


class Worker:
    """An actor of the pool: does groups of pieces.

    Args:
        step: which kind of pieces.
        store_url: where they are kept.
        worker: the backbone, loaded here once.
        resources: that this actor holds.
        folder: of the driver.
    """

    def __init__(
        self, step: Step, store_url: str, worker: Extractor, resources: StageResources, folder: str = "."
    ) -> None:
        self.step, self.url, self.worker, self.folder = step, store_url, _here(worker, resources), folder

    def __call__(self, batch: dict[str, np.ndarray]) -> Iterator[dict[str, list[bytes]]]:
        """Do the groups of a batch; each result is a row, and so is an error, which the driver raises."""
        with as_from(self.folder):
            yield from self._rows(batch["pieces"])

    def _rows(self, groups: np.ndarray) -> Iterator[dict[str, list[bytes]]]:
        from tuner.features.steps import STEPS

        for group in groups:
            try:
                artifacts = open_artifacts(self.url)
                for done in STEPS[self.step](cloudpickle.loads(group), artifacts, self.worker, lambda _: None):
                    yield {"done": [_packed(done)]}
            except TunerError as error:
                yield {"done": [_packed(of_node(error))]}
            except Exception as error:  # of the backbone's own code, such as too little memory on a GPU
                yield {"done": [_packed(of_node(_failed(error)))]}


def _packed(value: object) -> bytes:
    """The value for another process, which may not know the classes of the driver's script."""
    packed: bytes = cloudpickle.dumps(value)  # type: ignore[no-untyped-call]
    return packed


def _here(worker: Extractor, resources: StageResources) -> Extractor:
    """With this node's folder for drafts, and its threads: beside a GPU the CPUs that it has for each of them."""
    n_cpus = len(os.sched_getaffinity(0))
    threads = resources.gpus * n_cpus / max(1, gpus_here()) if resources.gpus else resources.cpus
    return replace(worker, scratch=cache_root() / "extract", n_threads=max(1, min(MOST_THREADS, round(threads))))


@ray.remote(max_retries=3)
def _describe(worker: Extractor, folder: str) -> BackboneFacts | TunerError:
    try:
        with as_from(folder):
            return BackboneFacts.of(make_backbone(worker.backbone, worker.data_name))
    except TunerError as error:
        return of_node(error)


def _failed(error: Exception) -> TunerError:
    """The error of workers that died, or failed for a reason of their own."""
    return TunerError(
        f"the features could not be extracted on the cluster: {cause_of(error)}",
        "workers that can run the backbone: enough memory, and the same version of this program",
        "look at the node's log, or lower resources.extract or backbone.batch_size; what was sealed is kept",
    )
