"""The watchdog over runs of stages: the worker of a run that hangs is ended, so that what it holds comes free.

Lives in the broker's event loop; what counts as hung stands in `hang_detector.py`.
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

# How long the order to end a worker may take, and then the news that it is dead: longer than Ray needs for either, so
# what comes later never will. A process that waits for a dead disk cannot even be killed.
ENDING_S = 60.0

# What a search that is to end waits for its last workers to be ended.
LAST_S = 10.0


class Watchdog:
    """Watches runs from their beginning to their end.

    Args:
        resources: what a run of each stage holds, and for how long at most.
    """

    def __init__(self, resources: dict[str, StageResources]) -> None:
        self._detector = HangDetector({stage: need.timeout_s for stage, need in resources.items()})
        self._runs: dict[str, StageRun] = {}
        self._beside: set[asyncio.Task[None]] = set()
        self._looking = False

    def begin(self, run: StageRun) -> None:
        """A worker has begun with a run."""
        run.begun = True
        self._runs[run.spec.key] = run
        self._detector.begin(run.spec.key, run.spec.stage, time.monotonic(), run.spec.deadline_s)
        if not self._looking:
            self._looking = True
            self._do(self._look())

    def alive(self, key: str, worker: Worker) -> None:
        """A worker says that its run makes progress; one that was given up may still say so."""
        if key in self._runs and self._runs[key].worker == worker:
            self._detector.alive(key, time.monotonic())

    def end(self, run: StageRun) -> None:
        """No worker runs it any more."""
        self._runs.pop(run.spec.key, None)
        self._detector.end(run.spec.key)

    def quiet_s(self, run: StageRun) -> float:
        """Seconds since a run's last sign of life."""
        return self._detector.quiet_s(run.spec.key, time.monotonic())

    async def call_off(self, runs: Sequence[StageRun]) -> None:
        """End the workers of runs that are not needed any more."""
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
        """End the worker of a run that hangs: its task ends with an error, or is given up."""
        if worker is not None:
            await _kill(worker, task)
            await asyncio.sleep(ENDING_S)
        given_up.set()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the trials."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


async def _kill(worker: Worker, task: str) -> None:
    """End a worker by force, on its node; where the node has died, Ray says so by itself."""
    here = NodeAffinitySchedulingStrategy(worker.node, soft=False)
    with contextlib.suppress(RayError, TimeoutError):
        await asyncio.wait_for(end_process.options(scheduling_strategy=here).remote(worker, task), ENDING_S)
