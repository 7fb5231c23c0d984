"""A skipped trial in the broker's event loop: what it shares with other trials goes on, the rest is called off."""

import asyncio

import pytest

from tuner.recipe import StageResources
from tuner.search.execute.messages import StageResult
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.stage_runs import StageRuns
from tuner.search.execute.trial import run_trial
from tuner.search.execute.trial_queue import TrialQueue
from tuner.store import Artifacts, open_store

STAGES = ("dense", "assign", "finetune", "evaluate")
CAUSE = "skipped by ada@lab7"


class Task:
    """In place of a Ray task: it ends a stage when it is told to."""

    def __init__(self, specs):
        self.specs, self._results = specs, asyncio.Queue()

    def end(self, n=1):
        for _ in range(n):
            self._results.put_nowait(StageResult("complete", 1.0, values={"accuracy": 50.0}))

    def __aiter__(self):
        return self

    async def __anext__(self):
        reference = asyncio.get_running_loop().create_future()
        reference.set_result(await self._results.get())
        return reference


class Bench:
    """Trials, their stages, and the tasks that run them."""

    def __init__(self, root):
        self.tasks, self.cancelled = [], []
        need = {stage: StageResources(1.0, 0.0) for stage in STAGES}
        artifacts = Artifacts(open_store(str(root)))
        self.runs = StageRuns(artifacts, need, 0, self._start, self.cancelled.append)
        self.queue = TrialQueue(lambda trial, stages, bar: run_trial(trial, stages, self.runs.use, bar))

    def _start(self, specs, options):
        self.tasks.append(Task(specs))
        return self.tasks[-1]

    async def skip(self, trial):
        self.queue.skip(trial, CAUSE)
        await self.runs.abandon(trial)

    async def until(self, reached):
        async with asyncio.timeout(60):
            while not reached():
                await asyncio.sleep(0.005)

    def waiting(self):
        return [run.waiting for run in self.runs.snapshot()]


def row(number, common=0):
    """Four stages, the first ones in common with other rows."""
    return [StageSpec(stage, {} if i < common else {"number": number}, {}, 0) for i, stage in enumerate(STAGES)]


def test_a_trial_alone_is_ended_with_all_its_stages(tmp_path):
    async def story():
        bench = Bench(tmp_path)
        bench.queue.hand_out(0, row(0))
        await bench.until(lambda: bench.tasks)
        bench.tasks[0].end()
        await bench.until(lambda: [run.stage for run in bench.runs.snapshot()] == ["assign"])
        await bench.until(lambda: bench.waiting() == [(0,)])
        await bench.skip(0)
        outcome = await bench.queue.outcome(0)
        assert (outcome.outcome, outcome.stage, outcome.cause) == ("skipped", "assign", CAUSE)
        assert [use.stage for use in outcome.stages] == ["dense"], "what it had used is kept"
        await bench.until(lambda: bench.runs.snapshot() == [])
        assert bench.cancelled == bench.tasks

    asyncio.run(story())


@pytest.mark.parametrize("skipped", [0, 1], ids=["the trial that runs the stage", "the trial that waits for it"])
def test_a_common_stage_goes_on_for_the_other_trial_and_nothing_else_does(tmp_path, skipped):
    async def story():
        bench, other = Bench(tmp_path), 1 - skipped
        for trial in (0, 1):
            bench.queue.hand_out(trial, row(trial, common=1))
        await bench.until(lambda: bench.tasks and bench.waiting() == [(0, 1)])
        await bench.skip(skipped)
        assert (await bench.queue.outcome(skipped)).outcome == "skipped"
        assert bench.waiting() == [(other,)]
        assert bench.cancelled == []
        bench.tasks[0].end()
        if skipped == 0:
            await bench.until(lambda: len(bench.tasks) == 2)
            assert bench.cancelled == bench.tasks[:1], "its own later stages are called off"
            assert [spec.settings for spec in bench.tasks[1].specs] == [{"number": 1}] * 3
        bench.tasks[-1].end(3)
        outcome = await bench.queue.outcome(other)
        assert (outcome.outcome, len(outcome.stages)) == ("complete", 4)
        assert outcome.stages[0].reused == (skipped == 0)
        await bench.until(lambda: bench.runs.snapshot() == [])

    asyncio.run(story())


def test_a_trial_that_has_ended_keeps_its_outcome(tmp_path):
    async def story():
        bench = Bench(tmp_path)
        bench.queue.hand_out(0, row(0))
        await bench.until(lambda: bench.tasks)
        bench.tasks[0].end(4)
        await bench.until(lambda: bench.runs.snapshot() == [])
        await asyncio.sleep(0.01)
        await bench.skip(0)
        await bench.skip(7)  # nobody has it
        assert (await bench.queue.outcome(0)).outcome == "complete"
        assert bench.cancelled == []

    asyncio.run(story())
