"""Each distinct stage runs once: the broker, a small Ray actor that takes every trial through its stages.

Known in the store: done. Running: the trial waits for the same run. Else a Ray task is started with the resources
the stage needs; it goes on with the trial's next stages as long as they need the same. The broker holds no GPU, does
no work itself, and knows what to show on the screen.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from tuner.recipe import StageResources
from tuner.search.plan import StageSpec
from tuner.search.trial import CalledOff, conduct
from tuner.search.values import read_values, stored_program
from tuner.store import CorruptArtifact, MissingKey, open_artifacts

# Coordinators and the broker ask for a sliver of the head node: it is there as long as the search is, and any share
# of a CPU would keep a stage off that CPU.
ON_THE_HEAD = {"node:__internal_head__": 0.0001}

# How long a coordinator may take to start.
START_S = 30.0

# A stage whose worker or node died is started again, from its last epoch checkpoint.
NODE_LOSSES = 5


@ray.remote(num_returns="streaming", max_retries=0)
def stage_task(
    specs: list[StageSpec], store_url: str, scratch: str, threads: int, broker: Any
) -> Iterator[dict[str, Any]]:
    """Run stages in a worker, one after the other; the heavy imports happen here, not in the driver."""
    from tuner.search.work import run_stage

    last = 0.0

    def progress(done: int, epochs: int, values: dict[str, float]) -> None:
        nonlocal last
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            broker.report.remote(spec.key, done, epochs, values)

    for spec in specs:
        broker.report.remote(spec.key, 0, 0, {})
        result = run_stage(spec, store_url, Path(scratch), threads, progress)
        yield result
        if result["outcome"] != "complete":
            return


@dataclass
class _Run:
    """One run of a stage, under way or next in its row."""

    spec: StageSpec
    trial: int
    ended: asyncio.Future[dict[str, Any] | None]
    started_s: float = 0.0  # 0: not yet
    begun: bool = False  # a worker is at it
    done: int = 0
    epochs: int = 0
    values: dict[str, float] = field(default_factory=dict)


class StageBroker:
    """Takes trials through their stages; start it as a Ray actor with `start_broker`.

    Args:
        store_url: the store of artifacts.
        scratch: local folder for epoch checkpoints.
        resources: what a run of each stage holds.
    """

    def __init__(self, store_url: str, scratch: str, resources: dict[str, StageResources]) -> None:
        self._url = store_url
        self._artifacts = open_artifacts(store_url)
        self._scratch = scratch
        self._resources = resources
        self._runs: dict[str, _Run] = {}
        self._settled: dict[str, dict[str, Any]] = {}
        self._made_s: dict[str, float] = {}
        self._trials: dict[int, asyncio.Future[Awaitable[dict[str, Any]] | None]] = defaultdict(asyncio.Future)
        self._expected: set[int] = set()  # trials whose coordinators are about to start
        self._came: set[int] = set()  # those that came before they were expected
        self._all_here = asyncio.Event()
        self._working: dict[asyncio.Task[None], list[_Run]] = {}  # what each has left to do
        self._stopping = False

    async def expect(self, trial: int) -> None:
        """The driver says that Tune is about to start a trial's coordinator."""
        if trial in self._came:
            self._came.remove(trial)
        else:
            self._expected.add(trial)
            self._all_here.clear()

    async def hand_out(self, trial: int, stages: list[StageSpec] | None) -> None:
        """The driver says what a trial of the search is to run: begin. None: nothing, the trial is not needed."""
        work = None if stages is None else asyncio.create_task(self.conduct(trial, stages))
        self._trials[trial].set_result(work)

    async def outcome(self, trial: int) -> dict[str, Any] | None:
        """What became of a trial of the search, once the driver has handed it out; None: it is not needed.

        The answer waits until no coordinator is about to start: Tune gives the process of one that ends to one that
        starts, throws away what it had begun to start, and so would start processes for ever.
        """
        if trial in self._expected:
            self._expected.remove(trial)
        else:
            self._came.add(trial)
        if not self._expected:
            self._all_here.set()
        work = await self._trials[trial]
        record = None if work is None else await work
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_here.wait(), START_S)
        return record

    async def forget(self, trial: int) -> None:
        """The driver has written down what became of a trial: nobody asks again."""
        self._trials.pop(trial, None)

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
            CalledOff: it would have to begin, and nothing begins any more.
        """
        spec, since_s = row[0], time.monotonic()
        while (result := self._settled.get(spec.key)) is None:
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

    def _add(self, spec: StageSpec, trial: int) -> _Run:
        run = self._runs[spec.key] = _Run(spec, trial, asyncio.get_running_loop().create_future())
        return run

    async def _work(self, todo: list[_Run], row: Sequence[StageSpec], trial: int) -> None:
        """Find the first stage of a row in the store, or run it with what follows; tell whoever waits."""
        losses, stream = 0, None
        try:
            if await self._find(todo):
                return
            todo += [self._add(spec, trial) for spec in takewhile(self._follows(row[0]), row[1:])]
            while todo and not self._stopping:
                try:
                    stream = self._start([run.spec for run in todo])
                    async for ended in stream:
                        result = await ended
                        self._settle(todo, {**result, "trial": trial})
                        if result["outcome"] != "complete" or self._stopping:
                            return
                        losses = 0
                except RayTaskError:
                    raise
                except RayError:  # its worker or node died, perhaps after it had been published
                    losses += 1
                    if not await self._find(todo) and losses > NODE_LOSSES:
                        raise
        except Exception as error:  # belongs to those who wait for this stage
            self._end(todo.pop(0)).set_exception(error)
        finally:
            if todo and self._stopping and stream is not None:
                ray.cancel(stream)
            for run in todo:  # not begun, after one that failed or Ctrl-C
                self._end(run).set_result(None)

    async def _find(self, todo: list[_Run]) -> bool:
        """Settle the first of the runs if the store has it."""
        todo[0].started_s = time.monotonic()
        if stored := await asyncio.to_thread(self._stored, todo[0].spec):
            self._settle(todo, stored)
        return stored is not None

    def _settle(self, todo: list[_Run], result: dict[str, Any]) -> None:
        """Remember how the first of the runs ended; what was damaged on the way is removed. The next one begins."""
        run = todo[0]
        if result["outcome"] == "corrupt":
            kind, key = result["damaged"]
            self.remove(kind, key, run.started_s)
        else:
            self._settled[run.spec.key] = result
            self._made_s[run.spec.key] = time.monotonic()
        self._end(todo.pop(0)).set_result(result)
        if todo:
            todo[0].started_s = time.monotonic()

    def _end(self, run: _Run) -> asyncio.Future[dict[str, Any] | None]:
        """Strike a run off; returns what is to be told how it ended."""
        del self._runs[run.spec.key]
        return run.ended

    def _follows(self, first: StageSpec) -> Callable[[StageSpec], bool]:
        """Tells whether a stage may go on in the task of `first`: it needs the same, and nobody has or runs it."""
        need = self._resources[first.stage]
        return lambda spec: (
            self._resources[spec.stage] == need and spec.key not in self._runs and spec.key not in self._settled
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

    def _stored(self, spec: StageSpec) -> dict[str, Any] | None:
        """What the store has of a stage, None for nothing; what is damaged is removed."""
        try:
            manifest = self._artifacts.find(spec.kind, spec.key)
            if manifest is None:
                return None
            values = read_values(self._artifacts, spec.key) if spec.stage == "evaluate" else None
            told = {"seconds": manifest.told("seconds", float), "program": stored_program(manifest)}
        except (CorruptArtifact, MissingKey):
            self._artifacts.remove(spec.kind, spec.key)
            return None
        return {"outcome": "complete", "cause": None, "values": values, "trial": None, **told}

    def remove(self, kind: str, key: str, seen_s: float) -> None:
        """Remove a damaged artifact, so that it is made again.

        Args:
            kind: of the artifact.
            key: of the artifact.
            seen_s: `time.monotonic` before it was read; what has been made since, or is being made, stays.
        """
        if key not in self._runs and self._made_s.get(key, seen_s) <= seen_s:
            self._settled.pop(key, None)
            self._artifacts.remove(kind, key)

    async def report(self, key: str, done: int, epochs: int, values: dict[str, float]) -> None:
        """A worker reports that it begins, an epoch, or where the program stands."""
        if (run := self._runs.get(key)) is not None:
            run.begun, run.done, run.epochs, run.values = True, done, epochs, values

    async def stop(self) -> None:
        """Begin nothing any more: what has begun ends, what waits for room is called off."""
        self._stopping = True
        await asyncio.sleep(0)  # work that was just created begins, or it could not clear up after itself
        for work, todo in self._working.items():
            if todo and not todo[0].begun:
                work.cancel()

    async def snapshot(self) -> list[dict[str, Any]]:
        """The runs under way: stage, trial, whether begun, epochs done and in all, values so far, seconds so far."""
        now = time.monotonic()
        return [
            {
                "stage": run.spec.stage,
                "trial": run.trial,
                "begun": run.begun,
                "done": run.done,
                "epochs": run.epochs,
                "values": run.values,
                "seconds": now - run.started_s,
            }
            for run in self._runs.values()
            if run.started_s
        ]


def start_broker(store_url: str, scratch: Path, resources: dict[str, StageResources]) -> Any:
    """Start the broker as an actor of this job; it ends with the job."""
    return ray.remote(StageBroker).options(num_cpus=0, resources=ON_THE_HEAD).remote(store_url, str(scratch), resources)


def conduct_all(broker: Any, numbers: Sequence[int], rows: Sequence[list[StageSpec]]) -> list[dict[str, Any]]:
    """Take independent rows of stages through the broker, side by side; an outcome each, as `trial.conduct` says."""
    return list(ray.get([broker.conduct.remote(*row) for row in zip(numbers, rows, strict=True)]))
