"""A search exported as an Optuna study: Optuna itself reads back every trial, as it was."""

import json

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from jobs import export
from tests.ledgers import finished, home_with, trial_events
from tuner.errors import UsageError
from tuner.recipe import objectives_of
from tuner.search.outcome.optuna_journal import LOST, MEASURED, _distribution, _trial, write_journal
from tuner.search.record.restoration import TrialRecord

OBJECTIVES = "objectives=[accuracy, n_features:min]"


def study_in(file):
    storage = JournalStorage(JournalFileBackend(str(file)))
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


@pytest.fixture
def home(tmp_path):
    events = finished()
    events += trial_events(3, {}, outcome="infeasible", model=None, cause="too few features", stage="assign")
    events += trial_events(4, {}, outcome="failed", model=None, cause="out of memory", stage="dense")
    events += trial_events(6, {"accuracy": 90.0})[:1]  # still running; the proposal of trial 5 is lost
    return home_with(tmp_path / "runs", events, OBJECTIVES)


def test_optuna_reads_every_trial_back(home, tmp_path):
    assert write_journal(home, tmp_path / "made-up.log") == 7
    study = study_in(tmp_path / "made-up.log")
    assert study.study_name == "made-up"
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    states = [trial.state for trial in study.trials]
    complete, pruned, fail, running = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
    assert states == [complete, complete, complete, pruned, fail, fail, running]
    assert [trial.number for trial in study.trials] == list(range(7))
    first = study.trials[0]
    assert first.values == [96.12345, 10]
    assert first.params == {"n_features": 10, "features_per_class": 2, "width": 256, "l1": 0.001234567}
    assert first.distributions["l1"].log
    assert first.user_attrs["interpretability"] == 60.98765
    assert first.user_attrs["test/accuracy"] == 96.12345
    assert (first.datetime_complete - first.datetime_start).total_seconds() == 8
    assert {trial.number for trial in study.best_trials} == {0}, "the front of accuracy against size"


def test_what_did_not_complete_says_why(home, tmp_path):
    write_journal(home, tmp_path / "made-up.log")
    trials = study_in(tmp_path / "made-up.log").trials
    assert trials[0].constraints == {MEASURED: 0}
    assert trials[3].constraints == {MEASURED: 1}
    assert (trials[3].user_attrs["outcome"], trials[3].user_attrs["cause"]) == ("infeasible", "too few features")
    assert trials[4].user_attrs["cause"] == "out of memory"
    assert trials[5].user_attrs["cause"] == LOST


def test_a_value_outside_the_space_stays_an_attribute(tmp_path):
    (start, proposal, end), rest = finished()[:3], finished()[3:5]
    proposal["params"]["width"] = 64
    home = home_with(tmp_path / "runs", [start, proposal, end, *rest])
    write_journal(home, tmp_path / "study.log")
    first = study_in(tmp_path / "study.log").trials[0]
    assert first.state == TrialState.FAIL, "the ledger refuses such a proposal"
    assert first.user_attrs["cause"] == LOST
    record = TrialRecord(0, {"width": 64, "n_features": 20}, outcome="complete", values={"accuracy": 90.0})
    space = {name: _distribution(dimension) for name, dimension in home.stored()[0].space.items()}
    trial = _trial(0, record, objectives_of(home.stored()[0], ["accuracy"]), space)
    assert trial.params == {"n_features": 20}
    assert trial.user_attrs["width"] == 64
    assert trial.values == [90.0]


def test_the_command_replaces_a_file_and_tells_what_it_holds(home, tmp_path, capsys):
    file = tmp_path / "study.log"
    file.write_text("an older export")
    address = ["--store", home.store.url, "--name", home.name]
    for _ in range(2):
        assert export.main([*address, "--optuna", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"search": "made-up", "file": str(file), "trials": 7}
        assert len(study_in(file).trials) == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "study.log"], "it left something behind"


def test_a_path_that_is_no_file_is_refused(home, tmp_path):
    for path, told in ((tmp_path, "is a folder"), (tmp_path / "nowhere" / "x.log", "does not exist")):
        with pytest.raises(UsageError, match=told):
            write_journal(home, path)


def test_the_constraints_of_the_recipe_are_there_with_their_bounds(tmp_path):
    events = finished() + trial_events(
        3, {}, outcome="infeasible", model=None, cause="too few features", stage="assign"
    )
    home = home_with(tmp_path / "runs", events, "constraints=[accuracy >= 95, features_per_class <= 3]")
    write_journal(home, tmp_path / "study.log")
    study = study_in(tmp_path / "study.log")
    first, _, third, infeasible = (trial.constraints for trial in study.trials)
    assert first["accuracy >= 95"] == pytest.approx(-1.12345 / 95)
    assert third["accuracy >= 95"] == pytest.approx(4.86421 / 95)
    assert third["features_per_class <= 3"] == pytest.approx(1 / 3)
    assert set(infeasible) == {MEASURED}, "nothing is known of it"
    assert {trial.number for trial in study.best_trials} == {0, 1} == {m.trial for m in home.front().members}
