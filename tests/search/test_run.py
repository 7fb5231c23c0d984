"""Searches end to end: real Ray, real stages, real MLflow; carried on, extended, refused, learnt from."""

import json
import threading
import time

import pytest
import yaml

from jobs import doctor, search
from tests.searches import WITHOUT_MLFLOW, damage, home, mlflow_runs, one_ray, run_tiny
from tests.turns import retold
from tuner.errors import UsageError
from tuner.front.pick import Rules
from tuner.search.control.control import Control
from tuner.search.control.entries import give
from tuner.search.control.now import read_now
from tuner.search.execute.stage_log import read_log
from tuner.search.outcome.pick import pick_model
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module", autouse=True)
def ray(tmp_path_factory):
    tmp_path_factory.getbasetemp()  # apart from the temporary files of Ray, which go with it
    with one_ray():
        yield


@pytest.fixture(scope="module")
def first(root):
    return run_tiny(root)


def test_every_trial_goes_through_all_stages_and_the_dense_stage_runs_once(first):
    result, _ = first
    trials = result.state.finished()
    assert [t.outcome for t in trials] == ["complete"] * 3
    for trial in trials:
        assert [use.stage for use in trial.stages] == ["dense", "assign", "finetune", "evaluate"]
        assert {"accuracy", "interpretability", "plausibility_undilated", "assigned_accuracy"} <= set(trial.values)
        assert "sid5" not in trial.values  # undefined below five features a class
        assert trial.values["n_images"] > 0
        assert trial.test.get("n_images") != trial.values["n_images"]
        assert "assigned_n_images" not in trial.values
    assert len({t.stage_key("dense") for t in trials}) == 1
    assert result.state.reuse()["dense"]["runs"] == 1


def test_the_front_is_measured_on_test_once_and_written(first, root):
    result, _ = first
    view = home(root).front()
    assert view.members
    for member in view.members:
        assert "accuracy" in result.state.trials[member.trial].test
    stored = json.loads(open_store(str(root)).get("searches/tiny/front.json"))
    assert stored == json.loads(view.to_json())
    names = {"search", "objectives", "hypervolume", "reference", "moving", "trials", "caution", "constraints"}
    assert set(stored) == {*names, "hypervolume_error", "members"}
    assert 0 < stored["hypervolume_error"] < 1
    page = open_store(str(root)).get("searches/tiny/report.html").decode()
    assert "tiny" in page
    assert page.count("data:image/") > 4  # saliency maps


def test_mlflow_shows_each_trial_once_with_curves_and_front(first, root):
    result, _ = first
    client, runs = mlflow_runs(root)
    children = {r.data.tags["mlflow.runName"]: r for r in runs if "mlflow.parentRunId" in r.data.tags}
    assert sorted(children) == ["trial-0000", "trial-0001", "trial-0002"]
    assert len(runs) == 4
    members = {m.trial for m in home(root).front().members}
    (parent,) = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    assert parent.data.metrics["front_size"] == len(members)
    assert parent.data.metrics["seconds"] == pytest.approx(home(root).state().elapsed_s)
    assert parent.data.metrics["seconds"] > 0, "of a search that was never carried on, too"
    for number, trial in result.state.trials.items():
        run = children[f"trial-{number:04d}"]
        assert run.data.tags["outcome"] == "complete"
        assert run.data.tags["pareto"] == str(number in members).lower()
        assert run.data.metrics["accuracy"] == pytest.approx(trial.values["accuracy"])
        assert run.data.metrics["n_images"] == trial.values["n_images"]
        assert 0 < run.data.metrics["accuracy_error"] < 10
        assert run.data.params["n_features"] == str(trial.params["n_features"])
        assert len(client.get_metric_history(run.info.run_id, "dense/loss")) == 2
        assert run.info.status == "FINISHED"


@pytest.mark.parametrize("objective", ["accuracy", pytest.param("features_per_class:min", marks=pytest.mark.long)])
def test_one_objective_alone_works_to_the_end(first, root, objective):
    name = objective.partition(":")[0]
    alone, _ = run_tiny(root, f"alone-{name.replace('_', '-')}", f"objectives=[{objective}]")
    assert alone.state.counts() == {"complete": 3}
    assert sorted(alone.files) == ["front", "picture", "report"]
    values = {number: trial.values.get(name, trial.params.get(name)) for number, trial in alone.state.trials.items()}
    best = (max if name == "accuracy" else min)(values.values())
    members = [member.trial for member in alone.home.front().members]
    assert members == [number for number, value in values.items() if value == best]
    assert pick_model(alone.home).point.trial in members
    assert pick_model(alone.home, Rules(within={name: 1.0})).point.trial in members
    for file in ("report.html", "front.svg"):
        assert "trial" in alone.home.store.get(alone.home.key(file)).decode()
    _, runs = mlflow_runs(root, alone.home.name)
    shown = {run.data.tags["mlflow.runName"] for run in runs if run.data.tags.get("pareto") == "true"}
    assert shown == {f"trial-{number:04d}" for number in members}


def test_an_objective_that_the_sizes_cannot_give_is_refused_before_anything_is_computed(root, tmp_path):
    with pytest.raises(UsageError, match="sid5 has no value below 5"):
        run_tiny(tmp_path, "never", "objectives=[accuracy, sid5]")
    assert not [
        key for key in open_store(str(tmp_path)).list("") if key.startswith(("banks", "stages", "searches/never/rec"))
    ]


def test_a_running_search_is_controlled_from_elsewhere(first, root):
    """Stages are those of the first search, so what is waited for is a person: this thread's other half."""
    store, name, answers = open_store(str(root)), "controlled", []
    for verb, arguments in [("add", {"n_features": 6, "features_per_class": 2}), ("pause", {})]:
        give(store, name, verb, arguments, "ada@lab7")

    def person():
        while read_now(store, name) is None:  # the driver waits for `resume`, and says what it waits for
            time.sleep(0.05)
        answers.append(read_now(store, name).trials[0].words)
        control = Control(SearchHome(store, name), wait_s=60.0)
        answers.append(control.skip(0))
        answers.append(control.add({"n_features": "6", "features_per_class": "2"}))
        answers.append(control.resume())

    elsewhere = threading.Thread(target=person, daemon=True)
    elsewhere.start()
    result, printed = run_tiny(root, name)
    elsewhere.join()
    assert answers[0] == "waiting until the search is resumed"
    assert [answer.state for answer in answers[1:]] == ["applied"] * 3
    assert result.state.counts() == {"complete": 4, "skipped": 1}
    assert result.state.trials[1].params["n_features"] == 6
    assert [told.applied for told in result.state.instructed.values()] == [True] * 5
    assert result.recipe.budget.trials == 5
    assert "trial 1 complete" in printed, printed
    assert max(len(line) for line in printed.splitlines() if "http://" not in line) < 200
    assert read_now(store, name) is None, "nothing runs any more"
    _, runs = mlflow_runs(root, name)
    states = {run.data.tags["mlflow.runName"]: run.info.status for run in runs}
    assert (states["trial-0000"], states["trial-0001"]) == ("KILLED", "FINISHED")
    again, printed = run_tiny(root, name)
    assert again.already_complete
    assert again.state.counts() == {"complete": 4, "skipped": 1}
    log = read_log(store, "dense", first[0].state.trials[0].stage_key("dense"))
    assert any("epoch 2/2" in line for line in log)


def lose_proposal(home, trial):
    """Take the parameters out of a trial's proposal, under a name that agrees with the bytes."""
    for key, event in home.ledger.entries():
        if (event["event"], event.get("trial")) == ("trial", trial):
            told = json.loads(home.store.get(key))  # with what the ledger adds
            del told["params"]
            home.store.delete(key)
            home.store.put(*retold(key, json.dumps(told).encode()))


def test_again_is_carry_on_more_is_more_and_stages_are_reused(first, root, capsys):
    holder = {"holder": "a driver elsewhere", "since": "noon", "token": "t", "ttl_s": 600.0, "term": 6}
    open_store(str(root)).put("searches/tiny/lease.json", json.dumps(holder).encode())
    again, printed = run_tiny(root, take_over=True)
    assert "taking the search over from a driver elsewhere" in printed
    assert again.already_complete
    assert again.state.counts() == {"complete": 3}
    result, _ = first
    lose_proposal(home(root), 1)
    assert sorted(home(root).state().trials) == [0, 2]
    assert search.main(["--store", str(root), "--name", "tiny", "--trials", "4"]) == 0
    said = capsys.readouterr().out
    assert "lacks params; it is left out, and the trial is proposed again" in said
    more = home(root).state()
    assert more.counts() == {"complete": 4}
    assert more.trials[3].stages[0].reused
    found, expected = more.trials[1], result.state.trials[1]
    assert (found.params, found.values, found.model) == (expected.params, expected.values, expected.model)
    assert all(use.reused for use in found.stages)
    assert doctor.main(["--store", str(root), "--name", "tiny"]) == 1
    assert "trial 1 has been run since" in capsys.readouterr().out
    _, runs = mlflow_runs(root)
    assert len(runs) == 5


def test_the_whole_space_tried_ends_the_search_early(first, root):
    exhausted, _ = run_tiny(root, "all", WITHOUT_MLFLOW, trials=10)
    assert exhausted.state.counts() == {"complete": 4}
    assert not exhausted.interrupted
    # the same four points as the first search, so nothing but the test split of new front members had to run
    assert all(use.reused for t in exhausted.state.trials.values() for use in t.stages)


def test_a_search_of_an_earlier_version_is_read_but_not_mixed_with_results_of_this_one(first, root):
    old, _ = run_tiny(root, "old", WITHOUT_MLFLOW)
    content = yaml.safe_load(old.home.store.get(old.home.key("recipe.yaml")))
    del content["code"]
    content["recipe"]["assign"]["warm_start"] = True
    old.home.store.put(old.home.key("recipe.yaml"), yaml.safe_dump(content).encode())
    assert len(old.home.front().members) == len(old.home.front(state=old.state).members)
    again, _ = run_tiny(root, "old", WITHOUT_MLFLOW)
    assert again.already_complete
    with pytest.raises(UsageError, match=r"gave other results when it started \(code dense 1, now"):
        run_tiny(root, "old", WITHOUT_MLFLOW, trials=4)
    assert old.home.state().counts() == {"complete": 3}


def test_a_changed_space_is_refused_with_the_difference_or_starts_from_the_old_search(first, root):
    with pytest.raises(UsageError, match=r"space.n_features.choices: \[6, 9\] -> \[6\]"):
        run_tiny(root, "tiny", "space.n_features={choices: [6]}")
    learnt, printed = run_tiny(root, "next", WITHOUT_MLFLOW, "space.n_features={choices: [6, 7]}", learn_from=["tiny"])
    assert "learning from" in printed
    assert learnt.state.trials[0].stages[0].reused  # the dense model was there already


def test_poisoned_trials_are_typed_and_the_search_goes_on(first, root):
    poisoned, _ = run_tiny(root, "poisoned", WITHOUT_MLFLOW, "finetune.lr=1e30")
    assert poisoned.state.counts() == {"failed": 3}
    for trial in poisoned.state.trials.values():
        assert trial.stage == "finetune"
        assert "1e+30" in trial.cause
        assert trial.values == {}
    assert not poisoned.home.front().members
    assert b"<html" in open_store(str(root)).get("searches/poisoned/report.html")


def test_damaged_values_and_manifests_are_made_again(first, root):
    result, _ = first
    trial = result.state.trials[1]
    damage(root, "stages/evaluate", trial.stage_key("evaluate"), "values.json")
    (root / "stages" / "finetune" / trial.stage_key("finetune") / "manifest.json").write_text("{")
    again, _ = run_tiny(root, "same", WITHOUT_MLFLOW)
    assert again.state.counts() == {"complete": 3}
    assert {n: t.values for n, t in again.state.trials.items()} == {
        n: t.values for n, t in result.state.trials.items() if n < 3
    }


def test_another_split_cannot_be_learnt_from(first, root):
    with pytest.raises(UsageError, match=r"validation_fraction: 0\.2, here 0\.5"):
        run_tiny(root, "other", "validation_fraction=0.5", learn_from=["tiny"])


def test_a_search_that_does_not_exist_needs_a_recipe(root):
    with pytest.raises(UsageError, match="no search 'nothing'"):
        home(root, "nothing").stored()
