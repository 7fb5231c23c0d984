"""A search with early stopping: its trials, whatever interrupts it, and what its ledger keeps."""

import asyncio

import pytest

from tests.searches import tiny_recipe
from tests.turns import begin, copy_of, entries_of, recipe_of, same, turn
from tuner.qpm.program_info import ProgramInfo
from tuner.search.cost.limits import first_enough, limits_of
from tuner.search.execute.messages import StageResult, StageUsed
from tuner.search.execute.plan import plan_trial
from tuner.search.execute.rung_plan import with_rung
from tuner.search.execute.trial import run_trial
from tuner.search.outcome.confirmation_plan import missing_runs
from tuner.search.propose.proposer import Proposer
from tuner.search.record.events import StageUse, read_event
from tuner.search.record.fields import InvalidEventError
from tuner.search.record.restoration import replay
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.bar import bar_of
from tuner.search.watch.texts import pruned_line

RECIPE = tiny_recipe("dense.precision=float32", "finetune.precision=float32", "stopping.rung=0.5")
PARAMS = {"n_features": 9, "features_per_class": 3, "width": 24}
GOOD, BAD = ({"accuracy": value, "interpretability": value} for value in (90.0, 10.0))
ON = ("stopping.rung=0.3", "stopping.startup_trials=1", "stopping.eta=4")
OUTCOME = {"event": "outcome", "time_s": 1.0, "trial": 0, "outcome": "pruned", "stage": "finetune", "cause": "x"}
OUTCOME |= {"values": {}, "stages": [], "model": None, "seconds": 1.0, "rung": BAD, "rung_epochs": [1, 2]}


def conduct(rung):
    """A trial with these values at its rung, after many good ones: its outcome, and the rows that were asked for."""
    state, rows = SearchState(), []
    for number in range(16):
        state.trials[number] = TrialRecord(number, PARAMS, "complete", rung=GOOD, rung_epochs=(1, 2), known=number)
    bar = bar_of(RECIPE, state, state.trials[15])

    async def use(row, number):
        spec = row[0]
        rows.append([one.stage for one in row])
        values = {"rung": rung, "evaluate": GOOD}.get(spec.stage)
        program = ProgramInfo(1.0, 1.0, 0.0, "optimal", 1.0) if spec.stage == "assign" else None
        result = StageResult("complete", 1.0, values=values, program=program)
        return StageUsed(result, StageUse(spec.stage, spec.key, False, 1.0, 0.0))

    return asyncio.run(run_trial(5, with_rung(plan_trial(RECIPE, "bank", PARAMS), bar.epoch), use, bar)), rows


def test_a_trial_that_is_stopped_asks_for_nothing_behind_the_rung():
    ended, rows = conduct(BAD)
    assert (ended.outcome, ended.stage, ended.values, ended.model) == ("pruned", "finetune", {}, None)
    assert (ended.rung, ended.rung_epochs, ended.program.status) == (BAD, (1, 2), "optimal")
    assert rows == [["dense", "assign", "rung"], ["assign", "rung"], ["rung"]]
    assert read_event(ended.ended(5, 1.0).to_json()) == ended.ended(5, 1.0)


def test_a_trial_that_goes_on_keeps_both_values():
    ended, rows = conduct(GOOD)
    assert (ended.outcome, ended.values, ended.rung) == ("complete", GOOD, GOOD)
    assert rows[3:] == [["finetune", "evaluate"], ["evaluate"]]
    assert ended.model == next(use.key for use in ended.stages if use.stage == "finetune")


def test_a_rung_changes_no_other_key():
    plain = plan_trial(RECIPE, "bank", PARAMS)
    first, *rest = (with_rung(plain, epoch) for epoch in (1, 2))
    for stages in (first, *rest):
        assert [s.key for s in stages if s.stage != "rung"] == [s.key for s in plain]
    assert first[2].key != rest[0][2].key


def test_confirmation_runs_have_no_rung():
    state = SearchState({0: TrialRecord(0, PARAMS, "complete", values=GOOD)})
    recipe = tiny_recipe("dense.precision=float32", "finetune.precision=float32", *ON, "confirm.seeds=3")
    runs = missing_runs(recipe, "bank", state, [0])
    assert [[spec.stage for spec in run.stages] for run in runs] == [["dense", "assign", "finetune", "evaluate"]] * 2


def test_the_sampler_does_not_take_a_pruned_trial_for_one_that_fails():
    record = TrialRecord(0, PARAMS, "pruned", "finetune", "not among the best", rung=BAD, rung_epochs=(1, 2))
    proposer = Proposer(RECIPE, 10)
    proposer._learn(record)
    (tried,) = proposer._ended
    assert (tried.values, tried.violations, tried.pruned, tried.measured) == (None, (), True, True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search with early stopping, run in one go."""
    home = begin(tmp_path_factory.mktemp("whole"), *ON)
    turn(home, *ON)
    return home


def test_some_trials_are_stopped_and_none_of_them_is_on_the_front(whole):
    state = whole.state()
    counts = state.counts()
    assert counts["pruned"] >= 2
    assert counts["complete"] >= 3
    pruned = {number for number, trial in state.trials.items() if trial.outcome == "pruned"}
    assert not pruned & {member.trial for member in whole.front().members}
    assert pruned_line(state) == f"{len(pruned)} trials pruned at epoch 3 of 10"


@pytest.mark.parametrize("ends", [1, 2, 3, 5, 7])
def test_an_interruption_changes_no_decision(whole, tmp_path, ends):
    home = begin(tmp_path, *ON)
    turn(home, *ON, ends=ends)
    turn(home, *ON)
    same(home, whole)


def test_more_trials_at_once_later_change_no_earlier_decision(whole, tmp_path):
    home = begin(tmp_path, *ON)
    turn(home, *ON, ends=3)
    proposed = len(home.state().trials)
    turn(home, *ON, "budget.parallel=4")
    then, now = (h.state().trials for h in (whole, home))
    assert [now[n].outcome for n in range(proposed)] == [then[n].outcome for n in range(proposed)]


def test_continued_without_early_stopping_the_pruned_trials_are_completed(whole, tmp_path):
    home = copy_of(tmp_path, entries_of(whole), *ON)
    pruned = [n for n, trial in home.state().trials.items() if trial.outcome == "pruned"]
    turn(home, *ON, "stopping.rung=0", reopen=True)
    state = home.state()
    assert state.counts() == {"complete": 8}
    assert state.damage == []
    assert all(state.trials[n].values and not state.trials[n].cause for n in pruned)


def test_an_event_of_an_earlier_version_has_no_rung():
    old = {name: value for name, value in OUTCOME.items() if not name.startswith("rung")}
    event = read_event(old | {"outcome": "failed"})
    assert (event.rung, event.rung_epochs) == ({}, None)
    assert read_event({"event": "trial", "time_s": 1.0, "trial": 0, "params": {}}).known is None


@pytest.mark.parametrize(
    "change",
    [
        {"values": GOOD},
        {"rung": {}, "rung_epochs": None},
        {"rung_epochs": None},
        {"rung_epochs": [2, 2]},
        {"rung_epochs": [0, 2]},
        {"rung_epochs": [1.0, 2]},
        {"rung": {"accuracy": "90"}},
        {"rung": {"accuracy": float("nan")}},
    ],
)
def test_an_impossible_rung_is_no_event(change):
    assert read_event(OUTCOME)
    with pytest.raises(InvalidEventError):
        read_event(OUTCOME | change)


def test_what_a_reopened_trial_became_counts_even_if_the_event_that_opened_it_is_damaged():
    """The ledger with all events, without the reopening, and with the outcome written twice."""
    proposed = {"event": "trial", "time_s": 1.0, "trial": 0, "params": {}, "known": 0}
    uses = [{"stage": "finetune", "key": "f", "reused": False, "seconds": 1.0, "saved_s": 0.0}]
    then = OUTCOME | {"outcome": "complete", "values": GOOD, "model": "f", "stages": uses, "stage": None, "cause": None}
    opened = {"event": "reopened", "time_s": 2.0, "trials": [0, 7]}
    for events in ([OUTCOME, opened, then], [OUTCOME, then], [OUTCOME, opened, then, OUTCOME], [then, opened]):
        trial = replay([proposed, *events]).trials[0]
        assert (trial.outcome, trial.values, trial.rung, trial.cause) == ("complete", GOOD, BAD, None)
    assert replay([proposed, OUTCOME, opened]).trials[0].outcome is None
    assert replay([proposed, OUTCOME, opened]).trials[0].rung == BAD


def test_what_goes_on_is_compared_alike_whichever_ends_first(tmp_path):
    """Trials that go on to a rung at another epoch: each waits for those that its comparison counts."""
    other, found = (*ON[1:], "stopping.rung=0.5", "budget.parallel=4"), []
    first = begin(tmp_path / "first", *ON, "budget.trials=24")
    turn(first, *ON, "budget.trials=24")
    entries = entries_of(first)
    for name, which in (("in order", min), ("the last first", max)):
        home = copy_of(tmp_path / name, entries, *ON, "budget.trials=24")
        turn(home, *other, "budget.trials=24", reopen=True, which=which)
        found.append(home)
    same(*found)
    assert found[0].state().counts()["pruned"] >= 1, "some pause there again"


ALL = (
    *ON,
    "stopping.eta=2",
    "points=[{n_features: 20, width: 48, l1: 1.0}]",
    'constraints=["accuracy >= 75"]',
    "budget.patience=5",
    "budget.tolerance=0.05",
    "sampler.name=random",
)


@pytest.mark.parametrize("first", [4, 12])
def test_a_search_that_is_extended_is_the_longer_search(tmp_path, first):
    """With points of one's own, constraints, early stopping and patience, which ends both at the same trial."""

    def enough(state):
        limits = limits_of(recipe_of(*ALL))
        return lambda number: first_enough(limits, state, number) is not None

    homes = [begin(tmp_path / name, *ALL) for name in ("extended", "straight")]
    turn(homes[0], *ALL, f"budget.trials={first}", enough=enough)
    assert len(homes[0].state().trials) == first
    for home in homes:
        turn(home, *ALL, "budget.trials=40", enough=enough, which=max)
    same(*homes)
    assert homes[0].state().trials[0].params["n_features"] == 20
    assert first < len(homes[0].state().trials) < 40, "patience ended it"
