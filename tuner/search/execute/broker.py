"""Each distinct stage runs once: the broker, a small Ray actor that takes every trial through its stages.

Known in the store: done. Running: the trial waits for the same run. Else a Ray task is started with the resources
the stage needs; it goes on with the trial's next stages as long as they need the same. Where another driver runs the
stage, its end is waited for without holding anything. The broker holds no GPU, does no work itself, watches that runs
get on, and knows what to show on the screen.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from tuner.recipe import StageResources
from tuner.search.execute.arrivals import Arrivals
from tuner.search.execute.hung import Hung, Worker
from tuner.search.execute.known import Known
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.retries import RETRIES, Tries
from tuner.search.execute.runs import Run, next_result
from tuner.search.execute.task import stage_task
from tuner.search.execute.trial import CalledOff, conduct
from tuner.search.execute.watchman import Watchman
from tuner.search.record.holder import is_gone, this_driver
from tuner.store import Claims, StoreFailure, open_artifacts
from tuner.store.claims import LATEST_S, SOONEST_S

# Coordinators and the broker ask for a sliver of the head node: it is there as long as the search is, and any share
# of a CPU would keep a stage off that CPU.
ON_THE_HEAD = {"node:__internal_head__": 0.0001}

# A stage that was looked for longer ago is looked for again before it is run: another driver may have come and gone.
# Shorter than what claims linger.
FRESH_S = 20.0


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
        self._url = store_url
        artifacts = open_artifacts(store_url)
        self._known = Known(artifacts)
        self._scratch = scratch
        self._resources = resources
        self._retries = retries
        self._claims = Claims(artifacts.store, this_driver(), is_gone=is_gone)
        self._watchman = Watchman(resources)
        self._runs: dict[str, Run] = {}
        self._arrivals = Arrivals()
        self._working: dict[asyncio.Task[None], list[Run]] = {}  # what each has left to do
        self._stopping = False

    async def expect(self, trial: int) -> None:
        """The driver says that Tune is about to start a trial's coordinator."""
        self._arrivals.expect(trial)

    async def hand_out(self, trial: int, stages: list[StageSpec] | None) -> None:
        """The driver says what a trial of the search is to run: begin. None: nothing, the trial is not needed."""
        work = None if stages is None else asyncio.create_task(self.conduct(trial, stages))
        self._arrivals.hand_out(trial, work)

    async def outcome(self, trial: int) -> dict[str, Any] | None:
        """What became of a trial of the search, once the driver has handed it out; None: it is not needed."""
        return await self._arrivals.outcome(trial)

    async def forget(self, trial: int) -> None:
        """The driver has written down what became of a trial: nobody asks again."""
        self._arrivals.forget(trial)

    async def conduct(self, trial: int, stages: list[StageSpec]) -> dict[str, Any]:
        """Any row of stages that ends with an evaluation; see `trial.conduct`."""
        return await conduct(trial, stages, self.use)

    async def use(self, row: Sequence[StageSpec], trial: int) -> dict[str, Any]:
        """Get the first of a row of stages done, by whomever; the others are what the trial will ask for next.

        Returns:
            {"stage", "key", "outcome", "cause", "damaged", "values", "program", "reused", "seconds" waited, "saved_s"
            not spent thanks to reuse}; `corrupt`: an input was damaged or gone, has been removed, and is to be asked
            for again

        Raises:
            StoreFailure: the store fails.
            ray.exceptions.RayError: the run raised, or died more often than it may be started again.
            Hung: it hung in each attempt.
            CalledOff: it would have to begin, and nothing begins any more.
        """
        spec, since_s = row[0], time.monotonic()
        while (result := self._known.settled(spec.key)) is None:
            run = self._runs.get(spec.key)
            if run is None:
                if self._stopping:
                    raise CalledOff
                run = self._add(spec, trial)
                work = asyncio.create_task(self._work(todo := [run], row, trial))
                self._working[work] = todo
                work.add_done_callback(self._working.pop)
            if (result := await run.ended) is not None:
                break
        reused = result["trial"] != trial
        return {
            "stage": spec.stage,
            "key": spec.key,
            "outcome": result["outcome"],
            "cause": result["cause"],
            "damaged": result.get("damaged"),
            "values": result.get("values"),
            "program": result.get("program"),
            "reused": reused,
            "seconds": time.monotonic() - since_s,
            "saved_s": result["seconds"] if reused else 0.0,
        }

    def _add(self, spec: StageSpec, trial: int) -> Run:
        run = self._runs[spec.key] = Run(spec, trial, asyncio.get_running_loop().create_future())
        return run

    async def _work(self, todo: list[Run], row: Sequence[StageSpec], trial: int) -> None:
        """Find the first stage of a row in the store, or run it with what follows; tell whoever waits."""
        tries, stream = Tries(self._retries), None
        try:
            if await self._find(todo):
                return
            todo += [self._add(spec, trial) for spec in takewhile(self._follows(row[0]), row[1:])]
            while todo and not self._stopping:
                specs = [run.spec for run in todo]
                for run in todo:
                    run.task = self.options(specs)["name"]
                try:
                    stream = self._start(specs)
                    if not await self._follow(stream, todo, trial, tries):
                        return
                except RayTaskError:
                    raise
                except (RayError, Hung) as error:  # its worker or node died, perhaps after it had been published
                    run = todo[0]
                    self._watchman.end(run)
                    if await self._find(todo):
                        tries.forget()
                    else:
                        tries.count(run, error)
                        run.again()
        except Exception as error:  # belongs to those who wait for this stage
            self._end(todo.pop(0)).set_exception(error)
        finally:
            if todo and self._stopping and stream is not None:
                ray.cancel(stream)
            for run in todo:  # not begun, after one that failed or Ctrl-C
                self._end(run).set_result(None)

    async def _follow(self, stream: Any, todo: list[Run], trial: int, tries: Tries) -> bool:
        """Settle runs as their task goes on; whether what is left then is to be started again."""
        while todo and (result := await next_result(stream, todo[0])) is not None:
            if result["outcome"] == "elsewhere":
                await self._wait_for_another(todo, result["cause"])
                break
            self._settle(todo, {**result, "trial": trial})
            if result["outcome"] != "complete" or self._stopping:
                return False
            tries.forget()
            if todo and todo[0].worker is not None:  # at the next stage by now, whether or not it can still say so
                self._watchman.begin(todo[0])
        return not self._stopping

    async def _wait_for_another(self, todo: list[Run], holder: str) -> None:
        """Wait until a stage that another driver runs is in the store, or that driver has given it up."""
        run, pause_s = todo[0], SOONEST_S
        self._watchman.end(run)
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

    async def _find(self, todo: list[Run]) -> bool:
        """Settle the first of the runs if the store has it."""
        todo[0].started_s = todo[0].started_s or time.monotonic()
        todo[0].looked_s = time.monotonic()
        if stored := await asyncio.to_thread(self._known.stored, todo[0].spec):
            self._settle(todo, stored)
        return stored is not None

    def _settle(self, todo: list[Run], result: dict[str, Any]) -> None:
        """Remember how the first of the runs ended; what was damaged on the way is removed. The next one begins."""
        run = todo[0]
        if result["outcome"] == "corrupt":
            kind, key = result["damaged"]
            self.remove(kind, key, run.started_s)
        else:
            self._known.settle(run.spec.key, result)
            if result["outcome"] == "complete":
                self._claims.done([run.name])
        self._end(todo.pop(0)).set_result(result)
        if todo:
            todo[0].started_s = time.monotonic()

    def _end(self, run: Run) -> asyncio.Future[dict[str, Any] | None]:
        """Strike a run off; returns what is to be told how it ended."""
        del self._runs[run.spec.key]
        self._watchman.end(run)
        self._claims.release([run.name])
        return run.ended

    def _follows(self, first: StageSpec) -> Callable[[StageSpec], bool]:
        """Tells whether a stage may go on in the task of `first`: it needs the same, and nobody has or runs it."""

        def holds(spec: StageSpec) -> tuple[float, float]:
            return self._resources[spec.stage].cpus, self._resources[spec.stage].gpus

        return lambda spec: (
            holds(spec) == holds(first) and spec.key not in self._runs and self._known.settled(spec.key) is None
        )

    def _start(self, specs: list[StageSpec]) -> Any:
        """Start a row of stages as one Ray task; returns a stream of references to their results."""
        me, options = ray.get_runtime_context().current_actor, self.options(specs)
        threads = max(1, round(options["num_cpus"]))
        return stage_task.options(**options).remote(specs, self._url, self._scratch, threads, me)

    def options(self, specs: list[StageSpec]) -> dict[str, Any]:
        """Name and resources of a row of stages, as Ray takes them."""
        need = self._resources[specs[0].stage]
        name = f"{'-'.join(spec.stage for spec in specs)}-{specs[-1].key[:8]}"
        return {"name": name, "num_cpus": need.cpus, "num_gpus": need.gpus}

    def remove(self, kind: str, key: str, seen_s: float) -> None:
        """Remove a damaged artifact, so that it is made again, unless that is under way; as `Known.remove`."""
        if key not in self._runs:
            self._known.remove(kind, key, seen_s)

    async def begin(self, keys: list[str], worker: Worker) -> tuple[int, dict[str, Any] | None]:
        """A worker is about to run a row of stages. Only now they are claimed: who waits for room keeps nobody waiting.

        Returns:
            How many of the first ones it is to run, and what it is to answer instead if that is none.
        """
        row = [self._runs[key] for key in takewhile(self._runs.__contains__, keys)]
        if not row or self._stopping:
            return 0, _instead("elsewhere", "nobody")
        for run in row:
            run.worker = worker
        self._watchman.begin(row[0])
        try:
            granted, holder = await asyncio.to_thread(self._claims.take, [run.name for run in row])
            if granted and time.monotonic() - row[0].looked_s > FRESH_S:  # somebody may have made them since
                missing = await asyncio.to_thread(self._known.missing, [run.spec for run in row[:granted]])
                granted, holder = missing, holder if missing else "nobody any more"
        except StoreFailure as error:
            return 0, _instead("halted", error.what)
        for run in row[granted:]:
            run.worker = None
        return granted, None if granted else _instead("elsewhere", holder)

    async def report(self, key: str, done: int, epochs: int, values: dict[str, float]) -> None:
        """A worker reports an epoch, or where the program stands."""
        if (run := self._runs.get(key)) is not None:
            run.done, run.epochs, run.values = done, epochs, values

    async def alive(self, key: str, worker: Worker) -> None:
        """A worker reports that its stage gets on."""
        self._watchman.alive(key, worker)

    async def waits(self, key: str, words: str) -> None:
        """A worker reports which lock its stage waits for; empty: for none any more."""
        if (run := self._runs.get(key)) is not None:
            run.waits = words

    async def call_off(self) -> None:
        """End all that runs, at once: its trials stay open, and what it had published or checkpointed stays."""
        await self.stop()
        running = [todo[0] for todo in self._working.values() if todo and todo[0].worker is not None]
        for work in list(self._working):
            work.cancel()
        await self._watchman.call_off(running)

    async def close(self) -> None:
        """Let go of the store: this search runs nothing any more."""
        await self.call_off()
        await asyncio.to_thread(self._claims.close)

    async def go_on(self) -> None:
        """After `stop` or `call_off`: what is asked for from now on begins."""
        self._stopping = False

    async def stop(self) -> None:
        """Begin nothing any more: what has begun ends, what waits for room or for others is called off."""
        self._stopping = True
        await asyncio.sleep(0)  # work that was just created begins, or it could not clear up after itself
        for work, todo in self._working.items():
            if todo and todo[0].worker is None:
                work.cancel()

    async def snapshot(self) -> list[dict[str, Any]]:
        """The runs under way: stage, trial, whether begun, epochs done and in all, values so far, seconds so far."""
        now = time.monotonic()
        return [run.shown(now, self._watchman.quiet_s(run)) for run in self._runs.values() if run.started_s]


def _instead(outcome: str, cause: str | None) -> dict[str, Any]:
    """The answer of a worker that runs nothing."""
    return {"outcome": outcome, "cause": cause, "seconds": 0.0}


def start_broker(store_url: str, scratch: Path, resources: dict[str, StageResources], retries: int = RETRIES) -> Any:
    """Start the broker as an actor of this job; it ends with the job, and is best closed before."""
    actor = ray.remote(StageBroker).options(num_cpus=0, resources=ON_THE_HEAD)
    return actor.remote(store_url, str(scratch), resources, retries)
