"""The runs of stages: each distinct stage runs once, whoever asks for it.

Known in the store: done. Running: the trial waits for the same run. Else a Ray task is started with the resources the
stage needs; it goes on with the trial's next stages as long as they need the same. Where another driver runs the stage,
its end is waited for without holding anything. Lives in the broker's event loop.
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
from tuner.search.record.events import StageUse
from tuner.search.record.holder import is_gone, this_driver
from tuner.store import Artifacts, Claims, StoreError
from tuner.store.claims import LATEST_S, SOONEST_S

# A stage that was looked for longer ago is looked for again before it is run: another driver may have come and gone.
# Shorter than what claims linger.
FRESH_S = 20.0

Start = Callable[[list[StageSpec], dict[str, Any]], Any]


class StageRuns:
    """Gets stages done.

    Args:
        artifacts: of the search's store.
        resources: what a run of each stage holds.
        retries: new attempts at a stage that hung.
        start: starts a row of stages as one Ray task, with name and resources as Ray takes them; returns a stream of
            references to their results.
    """

    def __init__(self, artifacts: Artifacts, resources: dict[str, StageResources], retries: int, start: Start) -> None:
        self.results = Results(artifacts)
        self._resources, self._retries, self._start = resources, retries, start
        self._claims = Claims(artifacts.store, this_driver(), is_gone=is_gone)
        self._watchdog = Watchdog(resources)
        self._runs: dict[str, StageRun] = {}
        self._working: dict[asyncio.Task[None], list[StageRun]] = {}  # what each has left to do
        self._stopping = False

    # What a trial asks for.

    async def use(self, row: Sequence[StageSpec], trial: int) -> StageUsed:
        """Get the first of a row of stages done, by whomever; the others are what the trial will ask for next.

        Returns:
            How it ended. `corrupt`: an input was damaged or gone, has been removed, and is to be asked for again.

        Raises:
            StoreError: the store fails.
            ray.exceptions.RayError: the run raised, or died more often than it may be started again.
            HungError: it hung in each attempt.
            CalledOffError: it would have to begin, and nothing begins any more.
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
            if (result := await run.ended) is not None:
                break
        reused, waited_s = result.trial != trial, time.monotonic() - since_s
        use = StageUse(spec.stage, spec.key, reused, waited_s, result.seconds if reused else 0.0)
        return StageUsed(result, use)

    def add(self, spec: StageSpec, trial: int) -> StageRun:
        """A run of a stage, from now on under way."""
        run = self._runs[spec.key] = StageRun(spec, trial, asyncio.get_running_loop().create_future())
        return run

    # A row of stages, from the store's answer to the end of its Ray task.

    async def _work(self, todo: list[StageRun], row: Sequence[StageSpec], trial: int) -> None:
        """Find the first stage of a row in the store, or run it with what follows; tell whoever waits."""
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
                except (RayError, HungError) as error:  # its worker or node died, perhaps after it had been published
                    run = todo[0]
                    self._watchdog.end(run)
                    if await self._find(todo):
                        attempts.forget()
                    else:
                        attempts.count(run, error)
                        run.again()
        except Exception as error:  # belongs to those who wait for this stage
            self._end(todo.pop(0)).set_exception(error)
        finally:
            if todo and self._stopping and stream is not None:
                ray.cancel(stream)
            for run in todo:  # not begun, after one that failed or Ctrl-C
                self._end(run).set_result(None)

    async def _follow(self, stream: Any, todo: list[StageRun], trial: int, attempts: Attempts) -> bool:
        """Settle runs as their task goes on; whether what is left then is to be started again."""
        while todo and (result := await next_result(stream, todo[0])) is not None:
            if result.outcome == "elsewhere":
                await self._wait_for_another(todo, result.cause)
                break
            self.settle(todo, replace(result, trial=trial))
            if result.outcome != "complete" or self._stopping:
                return False
            attempts.forget()
            if todo and todo[0].worker is not None:  # at the next stage by now, whether or not it can still say so
                self._watchdog.begin(todo[0])
        return not self._stopping

    async def _wait_for_another(self, todo: list[StageRun], holder: str | None) -> None:
        """Wait until a stage that another driver runs is in the store, or that driver has given it up."""
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
        """Remember how the first of the runs ended; what was damaged on the way is removed. The next one begins."""
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
        """Remove a damaged artifact, so that it is made again, unless that is under way; as `Results.remove`."""
        if key not in self._runs:
            self.results.remove(kind, key, seen_s)

    def _end(self, run: StageRun) -> asyncio.Future[StageResult | None]:
        """Strike a run off; returns what is to be told how it ended."""
        del self._runs[run.spec.key]
        self._watchdog.end(run)
        self._claims.release([run.name])
        return run.ended

    def _follows(self, first: StageSpec) -> Callable[[StageSpec], bool]:
        """Tells whether a stage may go on in the task of `first`: it needs the same, and nobody has or runs it."""

        def holds(spec: StageSpec) -> tuple[float, float]:
            return self._resources[spec.stage].cpus, self._resources[spec.stage].gpus

        return lambda spec: (
            holds(spec) == holds(first) and spec.key not in self._runs and self.results.get(spec.key) is None
        )

    def _options(self, specs: list[StageSpec]) -> dict[str, Any]:
        """Name and resources of a row of stages, as Ray takes them."""
        need = self._resources[specs[0].stage]
        name = f"{'-'.join(spec.stage for spec in specs)}-{specs[-1].key[:8]}"
        return {"name": name, "num_cpus": need.cpus, "num_gpus": need.gpus}

    # What the workers say.

    async def begin(self, keys: list[str], worker: Worker) -> Grant:
        """A worker is about to run a row of stages. Only now they are claimed: who waits for room keeps nobody waiting.

        Returns:
            How many of the first ones it is to run, and what it is to answer instead if that is none.
        """
        row = [self._runs[key] for key in takewhile(self._runs.__contains__, keys)]
        if not row or self._stopping:
            return Grant(0, StageResult("elsewhere", 0.0, "nobody"))
        for run in row:
            run.worker = worker
        self._watchdog.begin(row[0])
        try:
            granted, holder = await asyncio.to_thread(self._claims.take, [run.name for run in row])
            if granted and time.monotonic() - row[0].looked_s > FRESH_S:  # somebody may have made them since
                missing = await asyncio.to_thread(self.results.missing, [run.spec for run in row[:granted]])
                granted, holder = missing, holder if missing else "nobody any more"
        except StoreError as error:
            return Grant(0, StageResult("halted", 0.0, error.what))
        for run in row[granted:]:
            run.worker = None
        return Grant(granted, None if granted else StageResult("elsewhere", 0.0, holder))

    def report(self, key: str, done: int, epochs: int, values: dict[str, float]) -> None:
        """A worker has ended an epoch, or says where the program stands."""
        if (run := self._runs.get(key)) is not None:
            run.done, run.epochs, run.values = done, epochs, values

    def alive(self, key: str, worker: Worker) -> None:
        """A worker's stage gets on."""
        self._watchdog.alive(key, worker)

    def waits(self, key: str, words: str) -> None:
        """A worker's stage waits for a lock; empty: for none any more."""
        if (run := self._runs.get(key)) is not None:
            run.waits = words

    # What the driver says.

    async def stop(self) -> None:
        """Begin nothing any more: what has begun ends, what waits for room or for others is called off."""
        self._stopping = True
        await asyncio.sleep(0)  # work that was just created begins, or it could not clear up after itself
        for work, todo in self._working.items():
            if todo and todo[0].worker is None:
                work.cancel()

    def go_on(self) -> None:
        """After `stop` or `call_off`: what is asked for from now on begins."""
        self._stopping = False

    async def call_off(self) -> None:
        """End all that runs, at once: its trials stay open, and what it had published or checkpointed stays."""
        await self.stop()
        running = [todo[0] for todo in self._working.values() if todo and todo[0].worker is not None]
        for work in list(self._working):
            work.cancel()
        await self._watchdog.call_off(running)

    async def close(self) -> None:
        """Let go of the store: this search runs nothing any more."""
        await self.call_off()
        await asyncio.to_thread(self._claims.close)

    def snapshot(self) -> list[RunSnapshot]:
        """The runs under way."""
        now_s = time.monotonic()
        return [run.snapshot(now_s, self._watchdog.quiet_s(run)) for run in self._runs.values() if run.started_s]
