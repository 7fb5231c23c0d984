"""A trial's way through its stages, and what its end says: of its parameters, or of the machine only."""

import asyncio

import pytest
from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

from tests.searches import tiny_recipe
from tuner.search.execute.plan import plan_trial
from tuner.search.execute.trial import conduct
from tuner.search.propose.sampler import Proposer
from tuner.search.record.restoration import TrialRecord

RECIPE = tiny_recipe("dense.precision=float32", "finetune.precision=float32")
PARAMS = {"n_features": 9, "features_per_class": 3, "width": 24}
DONE = {"outcome": "complete", "cause": None, "damaged": None, "values": {}, "program": None}
DAMAGED = {**DONE, "outcome": "corrupt", "cause": "model.json has changed", "damaged": ["stages/dense", "key"]}


def ends(**at):
    """The outcome event of a trial whose stages end as given, by name; the others complete."""

    async def use(row, number):
        ended = at.get(row[0].stage, DONE)
        if isinstance(ended, Exception):
            raise ended
        return {**ended}

    return asyncio.run(conduct(0, plan_trial(RECIPE, "bank", PARAMS), use))


@pytest.mark.parametrize(
    ("ended", "stage", "known"),
    [
        (DAMAGED, None, []),  # whatever is made again is damaged again: a disk
        (NodeDiedError("gone"), None, []),
        (WorkerCrashedError(), "assign", [(PARAMS, False)]),  # perhaps for want of memory, which its size asks for
        (OutOfMemoryError("too much"), "assign", [(PARAMS, False)]),
        ({**DONE, "outcome": "failed", "cause": "diverged"}, "assign", [(PARAMS, False)]),
        ({**DONE, "outcome": "infeasible", "cause": "too few"}, "assign", [(PARAMS, False)]),
    ],
)
def test_the_sampler_is_told_what_parameters_did_and_not_what_the_machine_did(ended, stage, known):
    event = ends(assign=ended)
    assert event["outcome"] in ("failed", "infeasible")
    assert event["cause"]
    assert event["stage"] == stage
    record = TrialRecord(0, PARAMS, event["outcome"], event["stage"], event["cause"])
    assert Proposer(RECIPE, 10, [record])._known == known


def test_what_is_damaged_once_is_made_again():
    heals = iter([DAMAGED])

    async def use(row, number):
        return {**next(heals, DONE)} if row[0].stage == "assign" else {**DONE}

    event = asyncio.run(conduct(0, plan_trial(RECIPE, "bank", PARAMS), use))
    assert (event["outcome"], event["remade"]) == ("complete", ["model.json has changed"])
