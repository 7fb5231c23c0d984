"""What must hold of a search whatever broke: checked after each fault by every test of this folder."""

import json
import re
from pathlib import Path

import mlflow
import pytest

from tuner.search.record.home import SearchHome
from tuner.store import Artifacts, Store

MANIFEST = re.compile(r"(banks|(stages|curves)/[a-z]+)/[0-9a-f]{32}/manifest\.json")


def manifests(store: Store) -> dict[str, bytes]:
    """Every published artifact's manifest, with its time of publishing, by its key."""
    return {key: store.get(key) for key in store.list("") if MANIFEST.fullmatch(key)}


def nothing_ran_twice(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """What had been published is still there, untouched."""
    changed = [key for key, manifest in before.items() if after.get(key) != manifest]
    assert changed == [], "a finished stage was lost or ran again"


def nothing_half_written(store: Store, cache: Path) -> None:
    """Every artifact is whole, read through an empty cache; every ledger entry is sound."""
    artifacts = Artifacts(store, cache_dir=cache)
    for key in manifests(store):
        kind, name, _ = key.rsplit("/", 2)
        artifacts.fetch(kind, name)
    for search in {key.split("/")[1] for key in store.list("searches/")}:
        ledger = SearchHome(store, search).ledger
        ledger.read()
        # What a killed driver had on its way may arrive after the next one began; then it does not count, and is named.
        assert [warning for warning in ledger.warnings if "had lost the search" not in warning] == []


def ledger_is_front_is_mlflow(home: SearchHome, uri: str) -> None:
    """A finished search: each trial ended once, and front.json and MLflow say what the ledger says."""
    outcomes = [event["trial"] for event in home.ledger.read() if event["event"] == "outcome"]
    assert sorted(outcomes) == sorted(set(outcomes)), "a trial ended twice"
    state, view = home.state(), home.front()
    assert state.open() == []
    assert json.loads(home.store.get(home.key("front.json"))) == json.loads(view.to_json())
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(home.name)
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(runs) == len(children) + 1
    shown = {run.data.tags["mlflow.runName"]: run for run in children}
    assert sorted(shown) == [f"trial-{number:04d}" for number in sorted(state.trials)]
    assert len(shown) == len(children), "a trial is in MLflow twice"
    members = {member.trial for member in view.members}
    for number, trial in state.trials.items():
        run = shown[f"trial-{number:04d}"]
        assert run.data.tags["outcome"] == trial.outcome
        assert run.data.tags.get("pareto", "false") == str(number in members).lower()


def same(home: SearchHome, straight: SearchHome) -> None:
    """A search that met faults found what the same search without them found."""
    state, expected = home.state(), straight.state()
    assert state.counts() == expected.counts()
    for number, trial in expected.trials.items():
        assert state.trials[number].params == trial.params
        assert state.trials[number].values == pytest.approx(trial.values, abs=1e-6)
    assert home.front().hypervolume == pytest.approx(straight.front().hypervolume, abs=1e-9)
