"""One run of a stage as the broker tracks it: its trial, its worker and its progress."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from tuner.search.execute.hang_detector import HungError, Worker
from tuner.search.execute.messages import RunSnapshot, StageResult
from tuner.search.execute.plan import StageSpec


@dataclass(eq=False)
class StageRun:
    """One run of a stage, active or next in its sequence.

    Attributes:
        spec: the stage.
        trial: the first trial that requested it.
        ended: its result; None: it did not start.
        waiting: the trials that wait for it.
        started_s: when its turn came; 0: not yet.
        looked_s: when it was last looked up in the store.
        begun: whether a worker has started it.
        begun_s: when; 0: not yet.
        worker: the process that runs it, once known.
        task: the name of that worker's task.
        trouble: why that worker is being killed: the run hangs.
        given_up: the worker could not be killed.
        waits: the lock that it waits for, and its holder.
        elsewhere: the other driver that runs the stage, if any.
        done: epochs that have ended.
        epochs: epochs in all; 0: it has none.
        values: those of the last epoch, or incumbent and gap of the program.
    """

    spec: StageSpec
    trial: int
    ended: asyncio.Future[StageResult | None]
    waiting: set[int] = field(default_factory=set)
    started_s: float = 0.0
    looked_s: float = 0.0
    begun: bool = False
    begun_s: float = 0.0
    worker: Worker | None = None
    task: str = ""
    trouble: str | None = None
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    waits: str = ""
    elsewhere: str | None = None
    done: int = 0
    epochs: int = 0
    values: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> tuple[str, str]:
        """The artifact it produces: kind and key."""
        return self.spec.kind, self.spec.key

    def again(self) -> None:
        """Reset the run before another attempt."""
        self.started_s = time.monotonic()
        self.begun, self.begun_s, self.worker = False, 0.0, None
        self.trouble, self.given_up = None, asyncio.Event()
        self.done, self.epochs, self.values, self.waits = 0, 0, {}, ""

    def snapshot(self, now_s: float, quiet_s: float) -> RunSnapshot:
        """The run as displayed."""
        return RunSnapshot(
            self.spec.stage,
            self.trial,
            self.begun,
            self.elsewhere,
            self.waits,
            self.done,
            self.epochs,
            self.values,
            now_s - (self.begun_s or self.started_s),
            quiet_s,
            tuple(sorted(self.waiting)),
            "" if self.worker is None else self.worker.told(),
            self.spec.seed,
        )


async def next_result(stream: Any, run: StageRun) -> StageResult | None:
    """The next result of the task that executes a run; None at the task's end.

    Args:
        stream: references to the task's results, as Ray gives them.
        run: the run.

    Raises:
        HungError: the run was considered hung, and its worker could not be killed.
    """

    async def result() -> StageResult | None:
        reference = await anext(stream, None)
        return None if reference is None else await reference

    coming, given_up = asyncio.create_task(result()), asyncio.create_task(run.given_up.wait())
    try:
        await asyncio.wait((coming, given_up), return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            raise HungError(run.trouble)
        return coming.result()
    finally:
        coming.cancel()
        given_up.cancel()
