"""What crosses from process to process comes back as it was, and what no ledger can hold is told as a failure."""

import dataclasses
import json
import pickle

import pytest

from tests.turns import Broker, begin, recipe_of
from tuner.qpm.program_info import ProgramInfo
from tuner.search.execute.messages import Grant, RunSnapshot, StageResult, TrialOutcome
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.searcher import LedgerSearcher
from tuner.search.record.events import Ended, read_event
from tuner.search.record.stage_use import StageUse

PROGRAM = ProgramInfo(3.5, 3.6, 0.03, "deadline", 20.0)
USES = (StageUse("dense", "d0", True, 0.5, 7.0), StageUse("finetune", "f0", False, 9.0, 0.0))
OUTCOMES = {
    "complete": TrialOutcome(
        "complete", None, None, {"accuracy": 95.0}, USES, "f0", PROGRAM, ("one was damaged",), 9.5
    ),
    "pruned": TrialOutcome(
        "pruned", "finetune", "not among the best", stages=USES[:1], rung={"accuracy": 80.0}, rung_epochs=(3, 10)
    ),
    "failed": TrialOutcome("failed", "assign", "diverged", stages=USES[:1]),
    "called off": TrialOutcome("called off", "dense"),
}


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=list(OUTCOMES))
def test_an_outcome_passes_through_json(outcome):
    assert TrialOutcome.from_json(json.loads(json.dumps(outcome.to_json(), allow_nan=False))) == outcome


@pytest.mark.parametrize("name", ["complete", "pruned", "failed"])
def test_the_ledger_keeps_every_field_of_an_outcome(name):
    outcome = OUTCOMES[name]
    event = outcome.ended(3, 100.0)
    assert read_event(json.loads(json.dumps(event.to_json()))) == event
    kept = {field.name: getattr(event, field.name) for field in dataclasses.fields(outcome)}
    assert kept == outcome.__dict__
    assert {field.name for field in dataclasses.fields(Ended)} == {*kept, "trial", "time_s"}


@pytest.mark.parametrize(
    "message",
    [
        StageResult("complete", 1.0, values={"accuracy": 1.0}, program=PROGRAM),
        StageResult("corrupt", 1.0, "model.json has changed", damaged=("stages/dense", "key")),
        Grant(0, StageResult("elsewhere", 0.0, "another driver")),
        RunSnapshot("dense", 3, True, values={"loss": 1.0}),
    ],
    ids=["complete", "corrupt", "grant", "snapshot"],
)
def test_what_ray_carries_comes_out_as_it_was(message):
    assert pickle.loads(pickle.dumps(message)) == message


def test_how_a_program_ended_is_kept_as_earlier_versions_kept_it():
    old = {"objective": 3.5, "bound": None, "gap": 0.0, "status": "optimal"}
    assert ProgramInfo.from_json(old).to_json() == old
    assert ProgramInfo.from_json({**old, "seconds": 2.0, "of a newer version": 1}).to_json() == {**old, "seconds": 2.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", "../.."), ("stages", [{**USES[0].to_json(), "key": "a/b"}]), ("values", {"accuracy": None})],
    ids=["a model that is no key", "a stage that is no key", "a value that is no number"],
)
def test_an_outcome_that_cannot_be_recorded_is_a_failure_with_its_cause(tmp_path, name, value):
    recipe, home = recipe_of(), begin(tmp_path)
    state, events = home.state(recipe), []
    searcher = LedgerSearcher(recipe, "bank", state, Proposer(recipe, 10), events.append, Broker(), lambda: False)
    searcher.suggest("first")
    text = json.dumps({**OUTCOMES["complete"].to_json(), name: value})
    searcher.on_trial_complete("first", {"record": text})
    ended = next(event for event in events if isinstance(event, Ended))
    assert ended.outcome == "failed"
    assert ended.cause.startswith("its outcome cannot be recorded: ")
