"""The broker: the small Ray actor of a search that takes its trials through their stages.

It is a thin interface to the queue of trials (`TrialQueue`) and the runs of stages (`StageRuns`). It holds no GPU and
does no work itself. docs/explanation/life-of-a-trial.md shows the calls.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray

from tuner.recipe import StageResources
from tuner.search.execute.attempts import RETRIES
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.execute.hang_detector import Worker
from tuner.search.execute.messages import Grant, RunSnapshot, StageUsed, TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.stage_runs import StageRuns
from tuner.search.execute.stage_task import stage_task
from tuner.search.execute.trial import run_trial
from tuner.search.execute.trial_queue import TrialQueue
from tuner.search.stopping.bar import Bar
from tuner.store import open_artifacts

# Coordinators and the broker request a tiny share of the head node, which lives as long as the search. Any share of a
# CPU would keep stages off that CPU.
ON_THE_HEAD = {"node:__internal_head__": 0.0001}


class StageBroker:
    """Takes trials through their stages; start it as a Ray actor with `start_broker`.

    Args:
        store_url: the store of artifacts.
        scratch: local folder for epoch checkpoints.
        resources: the resources held by a run of each stage.
        retries: retries of a stage that hung.
    """

    def __init__(
        self, store_url: str, scratch: str, resources: dict[str, StageResources], retries: int = RETRIES
    ) -> None:
        self._url, self._scratch = store_url, scratch
        self.queue = TrialQueue(self.run_trial)
        self.runs = StageRuns(open_artifacts(store_url), resources, retries, self._start)

    # Trials: for the driver and Tune's coordinators.

    async def expect(self, trial: int) -> None:
        """From the driver: Tune is about to start a trial's coordinator."""
        self.queue.expect(trial)

    async def hand_out(self, trial: int, stages: list[StageSpec] | None, bar: Bar | None = None) -> None:
        """From the driver: start a trial of the search with this content; None: the trial is not needed."""
        self.queue.hand_out(trial, stages, bar)

    async def outcome(self, trial: int) -> TrialOutcome | None:
        """The outcome of a trial, after the driver has handed it out; None: the trial is not needed."""
        return await self.queue.outcome(trial)

    async def forget(self, trial: int) -> None:
        """From the driver: the outcome is recorded, and the trial can be forgotten."""
        self.queue.forget(trial)

    async def skip(self, trial: int, cause: str) -> None:
        """From the driver: end a trial, and its stages unless other trials wait for them."""
        self.queue.skip(trial, cause)
        await self.runs.abandon(trial)

    async def run_trial(self, trial: int, stages: Sequence[StageSpec], bar: Bar | None = None) -> TrialOutcome:
        """Run any sequence of stages that ends with a measurement; see `trial.run_trial`."""
        return await run_trial(trial, stages, self.use, bar)

    async def use(self, row: Sequence[StageSpec], trial: int) -> StageUsed:
        """Complete the first of a sequence of stages; see `StageRuns.use`."""
        return await self.runs.use(row, trial)

    # Stages: for the workers.

    async def begin(self, keys: list[str], worker: Worker) -> Grant:
        """Tell a worker how many of these stages to run, or what to return instead if none."""
        return await self.runs.begin(keys, worker)

    async def report(self, key: str, done: int, epochs: int, values: dict[str, float]) -> None:
        """From a worker: an epoch has ended, or the program has progressed."""
        self.runs.report(key, done, epochs, values)

    async def alive(self, key: str, worker: Worker) -> None:
        """From a worker: heartbeat of a stage."""
        self.runs.alive(key, worker)

    async def waits(self, key: str, words: str) -> None:
        """From a worker: the stage waits for this lock; empty: it no longer waits."""
        self.runs.waits(key, words)

    def _start(self, specs: list[StageSpec], options: dict[str, Any]) -> Any:
        """Start a sequence of stages as one Ray task; returns a stream of references to their results."""
        me, threads = BrokerHandle(ray.get_runtime_context().current_actor), max(1, round(options["num_cpus"]))
        return stage_task.options(**options).remote(specs, self._url, self._scratch, threads, me)

    # The search as a whole: for the driver.

    async def stop(self) -> None:
        """Start no more stages: running stages finish, waiting ones are called off."""
        await self.runs.stop()

    async def go_on(self) -> None:
        """Accept new stages again after `stop` or `call_off`."""
        self.runs.go_on()

    async def call_off(self) -> None:
        """Cancel all running stages at once: their trials stay open; published results and checkpoints are kept."""
        await self.runs.call_off()

    async def close(self) -> None:
        """Release the claims in the store: this search runs no more stages."""
        await self.runs.close()

    async def snapshot(self) -> list[RunSnapshot]:
        """The active runs."""
        return self.runs.snapshot()


def start_broker(
    store_url: str, scratch: Path, resources: dict[str, StageResources], retries: int = RETRIES
) -> BrokerHandle:
    """Start the broker as an actor of this job; it ends with the job at the latest, but should be closed first."""
    actor = ray.remote(StageBroker).options(num_cpus=0, resources=ON_THE_HEAD)
    return BrokerHandle(actor.remote(store_url, str(scratch), resources, retries))
