"""Searches end to end: real Ray, real stages, real MLflow; carried on, extended, refused, learnt from."""

import contextlib
import json

import mlflow
import pytest
import yaml

from jobs import confirm, doctor, search
from tests.searches import run_tiny
from tests.turns import retold
from tuner.base.progress import Silent
from tuner.base.steps import Step
from tuner.errors import TunerError, UsageError
from tuner.recipe import ConfirmConfig
from tuner.search.driver.run import SearchRequest, run_request
from tuner.search.outcome.pick import pick_model
from tuner.search.record.home import SearchHome
from tuner.store import open_store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def first(root):
    return run_tiny(root)


def home(root, name="tiny"):
    return SearchHome(open_store(str(root)), name)


def mlflow_runs(root, name="tiny"):
    client = mlflow.MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(name)
    return client, client.search_runs([experiment.experiment_id], max_results=100)


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
    assert set(stored) == {"search", "objectives", "hypervolume", "trials", "caution", "constraints", "members"}
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
    assert pick_model(alone.home, within={name: 1.0}).point.trial in members
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
    exhausted, _ = run_tiny(root, "all", trials=10)
    assert exhausted.state.counts() == {"complete": 4}
    assert not exhausted.interrupted
    # the same four points as the first search, so nothing but the test split of new front members had to run
    assert all(use.reused for t in exhausted.state.trials.values() for use in t.stages)


def test_a_search_of_an_earlier_version_is_read_but_not_mixed_with_results_of_this_one(first, root):
    old, _ = run_tiny(root, "old")
    content = yaml.safe_load(old.home.store.get(old.home.key("recipe.yaml")))
    del content["code"]
    content["recipe"]["assign"]["warm_start"] = True
    old.home.store.put(old.home.key("recipe.yaml"), yaml.safe_dump(content).encode())
    assert len(old.home.front().members) == len(old.home.front(state=old.state).members)
    again, _ = run_tiny(root, "old")
    assert again.already_complete
    with pytest.raises(UsageError, match=r"gave other results when it started \(code dense 1, now"):
        run_tiny(root, "old", trials=4)
    assert old.home.state().counts() == {"complete": 3}


def test_a_changed_space_is_refused_with_the_difference_or_starts_from_the_old_search(first, root):
    with pytest.raises(UsageError, match=r"space.n_features.choices: \[6, 9\] -> \[6\]"):
        run_tiny(root, "tiny", "space.n_features={choices: [6]}")
    learnt, printed = run_tiny(root, "next", "space.n_features={choices: [6, 7]}", learn_from=["tiny"])
    assert "learning from" in printed
    assert learnt.state.trials[0].stages[0].reused  # the dense model was there already


def test_poisoned_trials_are_typed_and_the_search_goes_on(first, root):
    poisoned, _ = run_tiny(root, "poisoned", "finetune.lr=1e30")
    assert poisoned.state.counts() == {"failed": 3}
    for trial in poisoned.state.trials.values():
        assert trial.stage == "finetune"
        assert "1e+30" in trial.cause
        assert trial.values == {}
    assert not poisoned.home.front().members
    assert b"<html" in open_store(str(root)).get("searches/poisoned/report.html")


def damage(root, kind, key, name):
    """Spoil the end of a file of an artifact; returns what it was."""
    file = next((root / kind / key).rglob(name))
    whole = file.read_bytes()
    file.write_bytes(whole[:-8] + bytes(8))
    return whole


def test_a_damaged_artifact_is_made_again_and_named(first, root):
    result, _ = first
    key = result.state.trials[0].stage_key("dense")
    whole = damage(root, "stages/dense", key, "model.safetensors")
    damaged, printed = run_tiny(root, "damaged", "finetune.epochs=3")
    assert damaged.state.counts() == {"complete": 3}
    assert next((root / "stages" / "dense" / key).rglob("model.safetensors")).read_bytes() == whole
    assert any(key in line for trial in damaged.state.trials.values() for line in trial.remade)
    assert "it was recreated" in printed


def test_damaged_values_and_manifests_are_made_again(first, root):
    result, _ = first
    trial = result.state.trials[1]
    damage(root, "stages/evaluate", trial.stage_key("evaluate"), "values.json")
    (root / "stages" / "finetune" / trial.stage_key("finetune") / "manifest.json").write_text("{")
    again, _ = run_tiny(root, "same")
    assert again.state.counts() == {"complete": 3}
    assert {n: t.values for n, t in again.state.trials.items()} == {
        n: t.values for n, t in result.state.trials.items() if n < 3
    }


def test_a_damaged_bank_stops_the_search_which_then_goes_on(tmp_path):
    made, _ = run_tiny(tmp_path)
    damage(tmp_path, "banks", made.home.stored()[1], "patches.npy")
    with pytest.raises(TunerError, match="feature bank"):
        run_tiny(tmp_path, trials=4)
    assert made.home.state().counts() == {"complete": 3}
    more, printed = run_tiny(tmp_path, trials=4)
    assert "feature bank" in printed
    assert more.state.counts() == {"complete": 4}


def test_another_split_cannot_be_learnt_from(first, root):
    with pytest.raises(UsageError, match=r"validation_fraction: 0\.2, here 0\.5"):
        run_tiny(root, "other", "validation_fraction=0.5", learn_from=["tiny"])


def test_a_search_that_does_not_exist_needs_a_recipe(root):
    with pytest.raises(UsageError, match="no search 'nothing'"):
        home(root, "nothing").stored()


class Impatient(Silent):
    """Someone who presses Ctrl-C twice as soon as a run of a member has ended."""

    @contextlib.contextmanager
    def step(self, what):
        class Ending(Step):
            def at(self, detail):
                if not detail.startswith("0 of "):
                    raise KeyboardInterrupt

        yield Ending(what) if what.startswith("confirming") else Step(what)


def test_a_front_is_confirmed_aborted_in_the_middle_and_carried_on(first, root, capsys):
    place, before = home(root), home(root).state()
    wanted = ConfirmConfig(seeds=3)
    with pytest.raises(KeyboardInterrupt):
        run_request(SearchRequest(place.store, "tiny", confirm=wanted), Impatient())
    view, state = home(root).front(), home(root).state()
    assert sum(len(trial.confirmations) for trial in state.trials.values()) == 1
    assert confirm.main(["--store", str(root), "--name", "tiny", "--seeds", "3", "--json"]) == 0
    told = capsys.readouterr()
    n = len(view.members)
    assert f"confirming the front: {2 * n - 1} run" in told.err
    assert ", about" in told.err
    document = json.loads(told.out)
    assert [m["confirmation"]["runs"] for m in document["members"]] == [2] * n
    after = home(root).state()
    assert after.elapsed_s == pytest.approx(before.elapsed_s)  # the command is no part of the search
    assert (after.counts(), after.trials[0].values) == (before.counts(), before.trials[0].values)
    assert after.budget == before.budget
    for member in document["members"]:
        runs = after.trials[member["trial"]].confirmations
        assert sorted(runs) == [(1, 0), (2, 0)]
        accuracies = [run.values["accuracy"] for run in runs.values()]
        assert member["values"]["accuracy"] == pytest.approx(sum(accuracies) / 2)
        dense = {run.stage_key("dense") for run in runs.values()}
        assert len(dense) == 2
        assert after.trials[member["trial"]].stage_key("dense") not in dense
    assert json.loads(place.store.get(place.key("front.json"))) == document
    _, shown = mlflow_runs(root)
    named = {run.data.tags["mlflow.runName"]: run.data for run in shown}
    assert named["search"].metrics["confirmed_members"] == n
    first_member = document["members"][0]
    data = named[f"trial-{first_member['trial']:04d}"]
    assert data.metrics["confirmed/accuracy_mean"] == pytest.approx(first_member["values"]["accuracy"])
    assert data.metrics["confirmed/runs"] == 2
    assert data.tags["beyond_noise"] == str(first_member["confirmation"]["beyond_noise"]).lower()
    assert confirm.main(["--store", str(root), "--name", "tiny", "--seeds", "3"]) == 0  # nothing is left: no Ray
    assert "starting Ray" not in capsys.readouterr().err
    busy = {"holder": "a driver elsewhere", "since": "noon", "token": "t", "ttl_s": 600.0, "term": 90}
    place.store.put(place.key("lease.json"), json.dumps(busy).encode())
    assert confirm.main(["--store", str(root), "--name", "tiny", "--seeds", "4"]) == 1
    assert "a driver elsewhere" in capsys.readouterr().err
