"""The runs of stages: each distinct stage runs once, even if several trials or drivers request it.

If the store has the stage, it is done. If it is running, the trial waits for that run. Otherwise a Ray task starts with
the stage's resources, and continues with the trial's next stages while they need the same resources. If another driver
runs the stage, the trial waits without holding resources. Everything runs in the broker's event loop.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from tuner.recipe import StageResources
from tuner.search.execute.attempts import Attempts
from tuner.search.execute.hang_detector import HungError, Worker
from tuner.search.execute.messages import Grant, RunSnapshot, StageResult, StageUsed
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.results import Results
from tuner.search.execute.stage_run import StageRun, next_result
from tuner.search.execute.trial import CalledOffError
from tuner.search.execute.watchdog import Watchdog
from tuner.search.record.holder import is_gone, this_driver
from tuner.search.record.stage_use import StageUse
from tuner.store import Artifacts, Claims, StoreError
from tuner.store.claims import LATEST_S, SOONEST_S

# After this time a stage is looked up again before it is run, because another driver may have completed it.
# Shorter than the time for which claims are kept.
FRESH_S = 20.0

Start = Callable[[list[StageSpec], dict[str, Any]], Any]


class StageRuns:
    """Completes stages.

    Args:
        artifacts: of the search's store.
        resources: the resources held by a run of each stage.
        retries: retries of a stage that hung.
        start: starts a sequence of stages as one Ray task, with Ray's name and resources; returns a stream of
            references to their results.
        cancel: ends such a task that is no longer needed.
    """

    def __init__(
        self,
        artifacts: Artifacts,
        resources: dict[str, StageResources],
        retries: int,
        start: Start,
        cancel: Callable[[Any], object] = ray.cancel,
    ) -> None:
        self.results = Results(artifacts)
        self._resources, self._retries, self._start, self._cancel = resources, retries, start, cancel
        self._claims = Claims(artifacts.store, this_driver(), is_gone=is_gone)
        self._watchdog = Watchdog(resources)
        self._runs: dict[str, StageRun] = {}
        self._working: dict[asyncio.Task[None], list[StageRun]] = {}  # the remaining runs of each task
        self._stopping = False
        self._abandoned: set[int] = set()  # trials whose stages are no longer needed

    # Requests of trials.

    async def use(self, row: Sequence[StageSpec], trial: int) -> StageUsed:
        """Complete the first of a sequence of stages, or wait for it; the trial will request the others next.

        Returns:
            How it ended. `corrupt`: an input was damaged or missing, has been removed, and must be requested again.

        Raises:
            StoreError: the store fails.
            ray.exceptions.RayError: the run raised, or died more often than the retries allow.
            HungError: it hung in each attempt.
            CalledOffError: it would have to start, but no more stages are started.
        """
        spec, since_s = row[0], time.monotonic()
        while (result := self.results.get(spec.key)) is None:
            run = self._runs.get(spec.key)
            if run is None:
                if self._stopping:
                    raise CalledOffError
                run = self.add(spec, trial)
                work = asyncio.create_task(self._work(todo := [run], row, trial))
                self._working[work] = todo
                work.add_done_callback(self._working.pop)
            run.waiting.add(trial)
            try:  # shielded: if this trial is skipped, others still wait for the run
                if (result := await asyncio.shield(run.ended)) is not None:
                    break
            finally:
                run.waiting.discard(trial)
        reused, waited_s = result.trial != trial, time.monotonic() - since_s
        if reused:
            use = StageUse(spec.stage, spec.key, reused, waited_s, result.seconds, 0.0, 0.0, 0.0)
        else:
            held = self._resources[spec.stage]
            use = StageUse(spec.stage, spec.key, reused, waited_s, 0.0, result.seconds, held.cpus, held.gpus)
        return StageUsed(result, use)

    def add(self, spec: StageSpec, trial: int) -> StageRun:
        """Create a run of a stage, and mark it active."""
        run = self._runs[spec.key] = StageRun(spec, trial, asyncio.get_running_loop().create_future())
        return run

    # A sequence of stages, from the look-up in the store to the end of its Ray task.

    async def _work(self, todo: list[StageRun], row: Sequence[StageSpec], trial: int) -> None:
        """Find the first stage of a sequence in the store, or run the sequence; notify the waiting trials."""
        attempts, stream = Attempts(self._retries), None
        try:
            if await self._find(todo):
                return
            todo += [self.add(spec, trial) for spec in takewhile(self._follows(row[0]), row[1:])]
            while todo and not self._stopping:
                specs = [run.spec for run in todo]
                options = self._options(specs)
                for run in todo:
                    run.task = options["name"]
                try:
                    stream = self._start(specs, options)
                    if not await self._follow(stream, todo, trial, attempts):
                        return
                except RayTaskError:
                    raise
                except (RayError, HungError) as error:  # its worker or node died, perhaps after publishing
                    run = todo[0]
                    self._watchdog.end(run)
                    if await self._find(todo):
                        attempts.forget()
                    else:
                        attempts.count(run, error)
                        run.again()
        except Exception as error:  # raised in the trials that wait for this stage
            self._end(todo.pop(0)).set_exception(error)
        finally:
            if todo and stream is not None and (self._stopping or trial in self._abandoned):
                self._cancel(stream)
            for run in todo:  # not started, after a failure or Ctrl-C
                self._end(run).set_result(None)

    async def _follow(self, stream: Any, todo: list[StageRun], trial: int, attempts: Attempts) -> bool:
        """Settle runs as their task proceeds; returns whether the remaining runs must be started again."""
        while todo and (result := await next_result(stream, todo[0])) is not None:
            if result.outcome == "elsewhere":
                await self._wait_for_another(todo, result.cause)
                break
            self.settle(todo, replace(result, trial=trial))
            if result.outcome != "complete" or self._stopping:
                return False
            attempts.forget()
            if todo and trial in self._abandoned and not self._wanted(todo):
                await self._watchdog.call_off(todo[:1])
                return False
            if todo and todo[0].worker is not None:  # already at the next stage, even if it can no longer report it
                self._watchdog.begin(todo[0])
        return not self._stopping

    async def _wait_for_another(self, todo: list[StageRun], holder: str | None) -> None:
        """Wait until a stage that another driver runs is in the store, or that driver has released it."""
        run, pause_s = todo[0], SOONEST_S
        self._watchdog.end(run)
        run.again()
        run.elsewhere = holder
        try:
            while not await self._find(todo):
                other = await asyncio.to_thread(self._claims.holder_of, run.name)
                if other is None:
                    return
                run.elsewhere = other
                await asyncio.sleep(pause_s)
                pause_s = min(LATEST_S, 1.5 * pause_s)
        finally:
            run.elsewhere = None

    async def _find(self, todo: list[StageRun]) -> bool:
        """Settle the first of the runs if the store has it."""
        todo[0].started_s = todo[0].started_s or time.monotonic()
        todo[0].looked_s = time.monotonic()
        if stored := await asyncio.to_thread(self.results.stored, todo[0].spec):
            self.settle(todo, stored)
        return stored is not None

    def settle(self, todo: list[StageRun], result: StageResult) -> None:
        """Record how the first of the runs ended, remove damaged inputs, and start the next run."""
        run = todo[0]
        if result.outcome == "corrupt":
            assert result.damaged is not None, "a worker names what is corrupt"
            self.remove(*result.damaged, run.started_s)
        else:
            self.results.keep(run.spec.key, result)
            if result.outcome == "complete":
                self._claims.done([run.name])
        self._end(todo.pop(0)).set_result(result)
        if todo:
            todo[0].started_s = time.monotonic()

    def remove(self, kind: str, key: str, seen_s: float) -> None:
        """Remove a damaged artifact so that it is recreated, unless a run is doing so; as `Results.remove`."""
        if key not in self._runs:
            self.results.remove(kind, key, seen_s)

    def _end(self, run: StageRun) -> asyncio.Future[StageResult | None]:
        """Remove a run from the active ones; returns the future of its result."""
        del self._runs[run.spec.key]
        self._watchdog.end(run)
        self._claims.release([run.name])
        return run.ended

    def _follows(self, first: StageSpec) -> Callable[[StageSpec], bool]:
        """Whether a stage can join the task of `first`: same resources, and neither stored nor running."""

        def holds(spec: StageSpec) -> tuple[float, float]:
            return self._resources[spec.stage].cpus, self._resources[spec.stage].gpus

        return lambda spec: (
            holds(spec) == holds(first) and spec.key not in self._runs and self.results.get(spec.key) is None
        )

    def _options(self, specs: list[StageSpec]) -> dict[str, Any]:
        """Name and resources of a sequence of stages, in Ray's format."""
        need = self._resources[specs[0].stage]
        name = f"{'-'.join(spec.stage for spec in specs)}-{specs[-1].key[:8]}"
        return {"name": name, "num_cpus": need.cpus, "num_gpus": need.gpus}

    # Messages from workers.

    async def begin(self, keys: list[str], worker: Worker) -> Grant:
        """Claim stages for a worker that is about to run them; a task waiting for resources claims nothing.

        Returns:
            How many of the first stages it is to run, and what to return instead if none.
        """
        row = [self._runs[key] for key in takewhile(self._runs.__contains__, keys)]
        if not row or self._stopping:
            return Grant(0, StageResult("elsewhere", 0.0, "no driver"))
        for run in row:
            run.worker = worker
        self._watchdog.begin(row[0])
        try:
            granted, holder = await asyncio.to_thread(self._claims.take, [run.name for run in row])
            if granted and time.monotonic() - row[0].looked_s > FRESH_S:  # another driver may have completed them since
                missing = await asyncio.to_thread(self.results.missing, [run.spec for run in row[:granted]])
                granted, holder = missing, holder if missing else "no driver any more"
        except StoreError as error:
            return Grant(0, StageResult("halted", 0.0, error.what))
        for run in row[granted:]:
            run.worker = None
        return Grant(granted, None if granted else StageResult("elsewhere", 0.0, holder))

    def report(self, key: str, done: int, epochs: int, values: dict[str, float]) -> None:
        """An epoch has ended, or the program has progressed."""
        if (run := self._runs.get(key)) is not None:
            run.done, run.epochs, run.values = done, epochs, values

    def alive(self, key: str, worker: Worker) -> None:
        """Heartbeat of a stage."""
        self._watchdog.alive(key, worker)

    def waits(self, key: str, words: str) -> None:
        """A stage waits for this lock; empty: it no longer waits."""
        if (run := self._runs.get(key)) is not None:
            run.waits = words

    # Messages from the driver.

    async def stop(self) -> None:
        """Start no more stages: running stages finish, waiting ones are called off."""
        self._stopping = True
        await asyncio.sleep(0)  # tasks that were just created must start, otherwise they cannot clean up
        for work, todo in self._working.items():
            if todo and todo[0].worker is None:
                work.cancel()

    def go_on(self) -> None:
        """Accept new stages again after `stop` or `call_off`."""
        self._stopping = False

    async def call_off(self) -> None:
        """Cancel all running stages at once: their trials stay open; published results and checkpoints are kept."""
        await self.stop()
        running = [todo[0] for todo in self._working.values() if todo and todo[0].worker is not None]
        for work in list(self._working):
            work.cancel()
        await self._watchdog.call_off(running)

    async def abandon(self, trial: int) -> None:
        """End the stages that run for a trial, unless other trials wait for them."""
        self._abandoned.add(trial)
        for work, todo in list(self._working.items()):
            if todo and todo[0].trial == trial and not self._wanted(todo):
                running = todo[:1] if todo[0].worker is not None else []
                work.cancel()
                await self._watchdog.call_off(running)

    def _wanted(self, todo: Sequence[StageRun]) -> bool:
        """Whether a trial that is still needed waits for one of the runs."""
        return any(run.waiting - self._abandoned for run in todo)

    async def close(self) -> None:
        """Release the claims in the store: this search runs no more stages."""
        await self.call_off()
        await asyncio.to_thread(self._claims.close)

    def snapshot(self) -> list[RunSnapshot]:
        """The active runs."""
        now_s = time.monotonic()
        return [run.snapshot(now_s, self._watchdog.quiet_s(run)) for run in self._runs.values() if run.started_s]
