"""Searches of which each starts a Ray of its own: workers that go on trust what they have verified, and Ray speaks up
on stdout where many of them gather."""

import contextlib
import json

import pytest

from jobs import confirm
from tests.searches import WITHOUT_MLFLOW, damage, home, mlflow_runs, run_tiny
from tuner.base.progress import Silent
from tuner.base.steps import Step
from tuner.errors import TunerError
from tuner.recipe import ConfirmConfig
from tuner.search.driver.run import SearchRequest, run_request

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def first(root):
    return run_tiny(root)


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
    wanted, asked = ConfirmConfig(seeds=2, splits=2), ["--seeds", "2", "--splits", "2"]
    with pytest.raises(KeyboardInterrupt):
        run_request(SearchRequest(place.store, "tiny", confirm=wanted), Impatient())
    view, state = home(root).front(), home(root).state()
    assert sum(len(trial.confirmations) for trial in state.trials.values()) == 1
    assert confirm.main(["--store", str(root), "--name", "tiny", *asked, "--json"]) == 0
    told = capsys.readouterr()
    n = len(view.members)
    assert f"confirming the front: {3 * n - 1} run" in told.err
    assert ", about" in told.err
    document = json.loads(told.out)
    assert [m["confirmation"]["runs"] for m in document["members"]] == [3] * n
    after = home(root).state()
    assert after.elapsed_s == pytest.approx(before.elapsed_s)  # the command is no part of the search
    assert (after.counts(), after.trials[0].values) == (before.counts(), before.trials[0].values)
    assert after.budget == before.budget
    for member in document["members"]:
        runs = after.trials[member["trial"]].confirmations
        assert sorted(runs) == [(0, 1), (1, 0), (1, 1)], "each seed on each validation split"
        accuracies = [run.values["accuracy"] for run in runs.values()]
        assert member["values"]["accuracy"] == pytest.approx(sum(accuracies) / 3)
        dense = {run.stage_key("dense") for run in runs.values()}
        assert len(dense) == 3
        assert after.trials[member["trial"]].stage_key("dense") not in dense
    assert json.loads(place.store.get(place.key("front.json"))) == document
    _, shown = mlflow_runs(root)
    named = {run.data.tags["mlflow.runName"]: run.data for run in shown}
    assert named["search"].metrics["confirmed_members"] == n
    first_member = document["members"][0]
    data = named[f"trial-{first_member['trial']:04d}"]
    assert data.metrics["confirmed/accuracy_mean"] == pytest.approx(first_member["values"]["accuracy"])
    assert data.metrics["confirmed/runs"] == 3
    assert data.tags["beyond_noise"] == str(first_member["confirmation"]["beyond_noise"]).lower()
    assert confirm.main(["--store", str(root), "--name", "tiny", *asked]) == 0  # nothing is left: no Ray
    assert "starting Ray" not in capsys.readouterr().err
    busy = {"holder": "a driver elsewhere", "since": "noon", "token": "t", "ttl_s": 600.0, "term": 90}
    place.store.put(place.key("lease.json"), json.dumps(busy).encode())
    assert confirm.main(["--store", str(root), "--name", "tiny", "--seeds", "4"]) == 1
    assert "a driver elsewhere" in capsys.readouterr().err


def test_a_damaged_artifact_is_made_again_and_named(first, root):
    result, _ = first
    key = result.state.trials[0].stage_key("dense")
    whole = damage(root, "stages/dense", key, "model.safetensors")
    damaged, printed = run_tiny(root, "damaged", WITHOUT_MLFLOW, "finetune.epochs=3")
    assert damaged.state.counts() == {"complete": 3}
    assert next((root / "stages" / "dense" / key).rglob("model.safetensors")).read_bytes() == whole
    assert any(key in line for trial in damaged.state.trials.values() for line in trial.remade)
    assert "it was recreated" in printed


def test_a_damaged_bank_stops_the_search_which_then_goes_on(tmp_path):
    result, _ = run_tiny(tmp_path, "tiny", WITHOUT_MLFLOW)
    shard = sorted((tmp_path / "shards").iterdir())[0]
    damage(tmp_path, "shards", shard.name, "patches.npy")
    with pytest.raises(TunerError, match="feature bank"):
        run_tiny(tmp_path, "tiny", WITHOUT_MLFLOW, trials=4)
    assert result.home.state().counts() == {"complete": 3}
    more, printed = run_tiny(tmp_path, "tiny", WITHOUT_MLFLOW, trials=4)
    assert "feature bank" in printed
    assert more.state.counts() == {"complete": 4}
