"""The watchdog over runs of stages: it kills the worker of a hung run, which frees the resources.

Runs in the broker's event loop; `hang_detector.py` defines what counts as hung.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tuner.recipe import StageResources
from tuner.search.execute.hang_detector import LOOK_S, HangDetector, Worker, end_process
from tuner.search.execute.stage_run import StageRun

# How long killing a worker may take, and then the notice of its death: longer than Ray needs for either, so later
# answers never come. A process blocked on a dead disk cannot even be killed.
ENDING_S = 60.0

# How long a search that ends waits for its last workers to be killed.
LAST_S = 10.0


class Watchdog:
    """Watches runs from start to end.

    Args:
        resources: resources and time limit of a run of each stage.
    """

    def __init__(self, resources: dict[str, StageResources]) -> None:
        self._detector = HangDetector({stage: need.timeout_s for stage, need in resources.items()})
        self._runs: dict[str, StageRun] = {}
        self._beside: set[asyncio.Task[None]] = set()
        self._looking = False

    def begin(self, run: StageRun) -> None:
        """A worker has started a run."""
        run.begun, run.begun_s = True, time.monotonic()
        self._runs[run.spec.key] = run
        self._detector.begin(run.spec.key, run.spec.stage, time.monotonic(), run.spec.deadline_s)
        if not self._looking:
            self._looking = True
            self._do(self._look())

    def alive(self, key: str, worker: Worker) -> None:
        """Heartbeat from a worker, perhaps from one that was given up."""
        if key in self._runs and self._runs[key].worker == worker:
            self._detector.alive(key, time.monotonic())

    def end(self, run: StageRun) -> None:
        """No worker runs it any more."""
        self._runs.pop(run.spec.key, None)
        self._detector.end(run.spec.key)

    def quiet_s(self, run: StageRun) -> float:
        """Seconds since a run's last heartbeat."""
        return self._detector.quiet_s(run.spec.key, time.monotonic())

    async def call_off(self, runs: Sequence[StageRun]) -> None:
        """Kill the workers of runs that are no longer needed."""
        if kills := [asyncio.create_task(_kill(run.worker, run.task)) for run in runs if run.worker is not None]:
            await asyncio.wait(kills, timeout=LAST_S)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for key, trouble in self._detector.overdue(time.monotonic()).items():
                if (run := self._runs[key]).trouble is None:
                    run.trouble = trouble
                    self._do(self._end(run.worker, run.task, run.given_up))

    async def _end(self, worker: Worker | None, task: str, given_up: asyncio.Event) -> None:
        """Kill the worker of a hung run: its task ends with an error, or is given up."""
        if worker is not None:
            await _kill(worker, task)
            await asyncio.sleep(ENDING_S)
        given_up.set()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


async def _kill(worker: Worker, task: str) -> None:
    """Kill a worker on its node; if the node has died, Ray reports that itself."""
    here = NodeAffinitySchedulingStrategy(worker.node, soft=False)
    with contextlib.suppress(RayError, TimeoutError):
        await asyncio.wait_for(end_process.options(scheduling_strategy=here).remote(worker, task), ENDING_S)
