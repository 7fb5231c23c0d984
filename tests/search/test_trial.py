"""A trial's way through its stages, and what its end says: of its parameters, or of the machine only."""

import asyncio

import pytest
from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

from tests.searches import tiny_recipe
from tuner.search.execute.messages import StageResult, StageUsed
from tuner.search.execute.plan import plan_trial
from tuner.search.execute.trial import run_trial
from tuner.search.propose.proposer import Proposer
from tuner.search.record.restoration import TrialRecord
from tuner.search.record.stage_use import StageUse

RECIPE = tiny_recipe("dense.precision=float32", "finetune.precision=float32")
PARAMS = {"n_features": 9, "features_per_class": 3, "width": 24}
DONE = StageResult("complete", 1.0)
DAMAGED = StageResult("corrupt", 1.0, "model.json has changed", damaged=("stages/dense", "key"))


def used(spec, result):
    return StageUsed(result, StageUse(spec.stage, spec.key, False, 1.0, 0.0))


def ends(**at):
    """The outcome of a trial whose stages end as given, by name; the others complete."""

    async def use(row, number):
        ended = at.get(row[0].stage, DONE)
        if isinstance(ended, Exception):
            raise ended
        return used(row[0], ended)

    return asyncio.run(run_trial(0, plan_trial(RECIPE, "bank", PARAMS), use))


@pytest.mark.parametrize(
    ("ended", "stage", "known"),
    [
        (DAMAGED, None, []),  # whatever is made again is damaged again: a disk
        (NodeDiedError("gone"), None, []),
        (WorkerCrashedError(), "assign", [(PARAMS, False)]),  # perhaps for want of memory, which its size asks for
        (OutOfMemoryError("too much"), "assign", [(PARAMS, False)]),
        (StageResult("failed", 1.0, "diverged"), "assign", [(PARAMS, False)]),
        (StageResult("infeasible", 1.0, "too few"), "assign", [(PARAMS, False)]),
    ],
)
def test_the_sampler_is_told_what_parameters_did_and_not_what_the_machine_did(ended, stage, known):
    event = ends(assign=ended)
    assert event.outcome in ("failed", "infeasible")
    assert event.cause
    assert event.stage == stage
    record = TrialRecord(0, PARAMS, event.outcome, event.stage, event.cause)
    assert [(trial.params, trial.measured) for trial in Proposer(RECIPE, 10, [record])._ended] == known


def test_what_is_damaged_once_is_made_again():
    heals = iter([DAMAGED])

    async def use(row, number):
        return used(row[0], next(heals, DONE) if row[0].stage == "assign" else DONE)

    event = asyncio.run(run_trial(0, plan_trial(RECIPE, "bank", PARAMS), use))
    assert (event.outcome, event.remade) == ("complete", ("model.json has changed",))
