"""The broker: the small Ray actor of a search, which takes its trials through their stages.

It is the thin face of two things: the queue of trials (`TrialQueue`) and the runs of stages (`StageRuns`). It holds no
GPU and does no work itself. Who calls what is drawn in docs/explanation/life-of-a-trial.md.
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
from tuner.store import open_artifacts

# Coordinators and the broker ask for a sliver of the head node: it is there as long as the search is, and any share
# of a CPU would keep a stage off that CPU.
ON_THE_HEAD = {"node:__internal_head__": 0.0001}


class StageBroker:
    """Takes trials through their stages; start it as a Ray actor with `start_broker`.

    Args:
        store_url: the store of artifacts.
        scratch: local folder for epoch checkpoints.
        resources: what a run of each stage holds.
        retries: new attempts at a stage that hung.
    """

    def __init__(
        self, store_url: str, scratch: str, resources: dict[str, StageResources], retries: int = RETRIES
    ) -> None:
        self._url, self._scratch = store_url, scratch
        self.queue = TrialQueue(self.run_trial)
        self.runs = StageRuns(open_artifacts(store_url), resources, retries, self._start)

    # Trials: for the driver and Tune's coordinators.

    async def expect(self, trial: int) -> None:
        """The driver says that Tune is about to start a trial's coordinator."""
        self.queue.expect(trial)

    async def hand_out(self, trial: int, stages: list[StageSpec] | None) -> None:
        """The driver says what a trial of the search is to run: begin. None: nothing, the trial is not needed."""
        self.queue.hand_out(trial, stages)

    async def outcome(self, trial: int) -> TrialOutcome | None:
        """What became of a trial of the search, once the driver has handed it out; None: it is not needed."""
        return await self.queue.outcome(trial)

    async def forget(self, trial: int) -> None:
        """The driver has written down what became of a trial: nobody asks again."""
        self.queue.forget(trial)

    async def run_trial(self, trial: int, stages: Sequence[StageSpec]) -> TrialOutcome:
        """Any row of stages that ends with a measurement; see `trial.run_trial`."""
        return await run_trial(trial, stages, self.use)

    async def use(self, row: Sequence[StageSpec], trial: int) -> StageUsed:
        """Get the first of a row of stages done; see `StageRuns.use`."""
        return await self.runs.use(row, trial)

    # Stages: for the workers.

    async def begin(self, keys: list[str], worker: Worker) -> Grant:
        """A worker is about to run a row of stages: how many of them, and what it is to answer if none."""
        return await self.runs.begin(keys, worker)

    async def report(self, key: str, done: int, epochs: int, values: dict[str, float]) -> None:
        """A worker has ended an epoch, or says where the program stands."""
        self.runs.report(key, done, epochs, values)

    async def alive(self, key: str, worker: Worker) -> None:
        """A worker's stage gets on."""
        self.runs.alive(key, worker)

    async def waits(self, key: str, words: str) -> None:
        """A worker's stage waits for a lock; empty: for none any more."""
        self.runs.waits(key, words)

    def _start(self, specs: list[StageSpec], options: dict[str, Any]) -> Any:
        """Start a row of stages as one Ray task; returns a stream of references to their results."""
        me, threads = BrokerHandle(ray.get_runtime_context().current_actor), max(1, round(options["num_cpus"]))
        return stage_task.options(**options).remote(specs, self._url, self._scratch, threads, me)

    # The search as a whole: for the driver.

    async def stop(self) -> None:
        """Begin nothing any more: what has begun ends, what waits for room or for others is called off."""
        await self.runs.stop()

    async def go_on(self) -> None:
        """After `stop` or `call_off`: what is asked for from now on begins."""
        self.runs.go_on()

    async def call_off(self) -> None:
        """End all that runs, at once: its trials stay open, and what it had published or checkpointed stays."""
        await self.runs.call_off()

    async def close(self) -> None:
        """Let go of the store: this search runs nothing any more."""
        await self.runs.close()

    async def snapshot(self) -> list[RunSnapshot]:
        """The runs under way."""
        return self.runs.snapshot()


def start_broker(
    store_url: str, scratch: Path, resources: dict[str, StageResources], retries: int = RETRIES
) -> BrokerHandle:
    """Start the broker as an actor of this job; it ends with the job, and is best closed before."""
    actor = ray.remote(StageBroker).options(num_cpus=0, resources=ON_THE_HEAD)
    return BrokerHandle(actor.remote(store_url, str(scratch), resources, retries))
