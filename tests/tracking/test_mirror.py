"""The mirror against a real sqlite file: everything shown, nothing twice, no failure that reaches the search."""

import json
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.tracking.ledgers import history, ledger, look, search_start, trial_events
from tuner.errors import TunerError
from tuner.tracking import Mirror
from tuner.tracking.dataset import DatasetInfo, dataset_input
from tuner.tracking.view import TAG, runs_page

# mlflow 3.17.2 with sqlalchemy 2.1
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

Make = Callable[..., Mirror]
PATIENCE_S = 60.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_search_is_shown_whole(uri: str, make_mirror: Make) -> None:
    opened: list[str] = []
    mirror = make_mirror(uri, on_open=opened.append, dataset=DatasetInfo("digits", "bank" * 16, 1797, 10))
    for event in ledger(2):
        mirror.publish(event)
    probe = {"event": "baseline", "name": "linear_probe", "split": "test", "values": {"accuracy": 80.0}}
    mirror.publish(probe | {"time_s": 2000.0})
    mirror.publish({"event": "test", "trial": 1, "values": {"accuracy": 78.0}, "time_s": 2001.0})
    mirror.publish({"event": "pick", "trial": 1, "reason": "It is the knee.", "time_s": 2002.0})
    mirror.close(PATIENCE_S)
    assert mirror.warning is None

    runs = look(uri, "digits")
    assert set(runs) == {"search", "trial-0000", "trial-0001", "baseline-linear_probe"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    parent, child = runs["search"], runs["trial-0001"]
    assert parent.data.params["budget.trials"] == "4"
    assert parent.data.params["n_features"] == "10, 50", "named as in a trial"
    assert parent.data.tags["pick"] == "trial-0001"
    assert [runs[name].data.tags.get("picked") for name in ("trial-0000", "trial-0001")] == [None, "true"]
    told = parent.data.tags["mlflow.note.content"]
    assert told.startswith("[Charts of all trials](#/experiments/"), "MLflow folds away what comes late"
    assert "\n\nPicked `trial-0001`: It is the knee.\n\n2 of 2 trials on the front." in told
    assert parent.data.metrics["best/accuracy"] == 79.01
    assert (parent.data.metrics["front_size"], parent.data.metrics["trials"]) == (2, 2)
    assert history(uri, parent.info.run_id, "best/accuracy") == [(1, 79.0), (2, 79.01)]
    for run in runs.values():
        (data,) = run.inputs.dataset_inputs
        assert (data.dataset.name, data.dataset.digest) == ("digits", ("bank" * 16)[:36])
        assert json.loads(data.dataset.profile) == {"images": 1797, "classes": 10}
        assert run.data.tags["mlflow.source.name"] == "qpm-tuner search"
    experiment = MlflowClient(uri).get_experiment(parent.info.experiment_id)
    assert opened == [mirror.url]
    assert mirror.url.endswith(f"/{runs_page(experiment.experiment_id)}")
    assert "metrics.`accuracy`" in experiment.tags[TAG]
    assert child.data.params == {"n_features": "50", "features_per_class": "5", "width": "512", "seed": "1"}
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["outcome"] == "complete"
    assert child.data.tags["dense/reused"] == "true"
    assert '"finetune": "finetune1"' in child.data.tags["stage_keys"]
    assert child.data.metrics["accuracy"] == 79.01
    assert child.data.metrics["test/accuracy"] == 78.0
    assert child.data.metrics["dense/saved_s"] == 12.3
    assert "sid5" not in child.data.metrics, "NaN was sent"
    assert history(uri, child.info.run_id, "finetune/accuracy") == [(1, 61.0), (2, 62.0), (3, 63.0)]
    assert runs["baseline-linear_probe"].data.metrics == {"test/accuracy": 80.0}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_replaying_twice_or_in_pieces_shows_nothing_twice(
    uri: str, make_mirror: Make, tmp_path: Path, seed: int
) -> None:
    events = ledger(5)
    cut = random.Random(seed).randrange(1, len(events))
    first = make_mirror(uri)
    first.replay(events[:cut])
    first.close(PATIENCE_S, status=None)
    second = make_mirror(uri)
    second.replay(events[:cut])
    for event in events[cut - 3 :]:
        second.publish(event)
    second.close(PATIENCE_S)
    after_two = (tmp_path / "mlflow.db").read_bytes()

    third = make_mirror(uri)
    third.replay(events)
    third.close(PATIENCE_S)
    assert (tmp_path / "mlflow.db").read_bytes() == after_two, "a level mirror was written to"
    runs = look(uri, "digits")
    assert len(runs) == 6
    for trial in range(5):
        run_id = runs[f"trial-{trial:04d}"].info.run_id
        assert len(history(uri, run_id, "dense/loss")) == 3
        assert len(history(uri, run_id, "accuracy")) == 1


@pytest.mark.slow
def test_a_long_curve_and_a_large_recipe_arrive_whole(uri: str, make_mirror: Make) -> None:
    rows = [{"epoch": epoch, "loss": 1 / epoch} for epoch in range(1, 2501)]
    mirror = make_mirror(uri, curves=lambda stage, key: rows)
    start = search_start()
    start["recipe"] = {"many": {f"key{number}": number for number in range(250)}}
    mirror.replay([start, *trial_events(0, 1001.0)[:2]])
    mirror.close(PATIENCE_S)
    runs = look(uri, "digits")
    assert len(history(uri, runs["trial-0000"].info.run_id, "dense/loss")) == 2500
    assert len(runs["search"].data.params) == 250


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("complete", "FINISHED"),
        ("pruned", "KILLED"),
        ("stopped", "KILLED"),
        ("infeasible", "KILLED"),
        ("failed", "FAILED"),
    ],
)
def test_outcomes_end_runs(uri: str, make_mirror: Make, outcome: str, status: str) -> None:
    events = ledger(1)
    events[-1] |= {"outcome": outcome, "cause": "one line", "values": {"accuracy": float("nan")}, "model": None}
    mirror = make_mirror(uri)
    mirror.replay(events)
    mirror.close(PATIENCE_S, status=None)
    run = look(uri, "digits")["trial-0000"]
    assert run.info.status == status
    assert run.data.tags["outcome"] == outcome
    assert run.data.tags["cause"] == "one line"
    assert "accuracy" not in run.data.metrics


def test_an_interrupted_trial_is_killed_runs_again_and_ends(uri: str, make_mirror: Make) -> None:
    events = ledger(1)
    first = make_mirror(uri)
    first.replay(events[:3])
    first.close(PATIENCE_S, status="KILLED")
    assert {run.info.status for run in look(uri, "digits").values()} == {"KILLED"}
    second = make_mirror(uri)
    second.replay([*events[:4], search_start(1500.0, n_trials=8)])
    until(lambda: {run.info.status for run in look(uri, "digits").values()} == {"RUNNING"})
    second.replay(events[4:])
    second.close(PATIENCE_S)
    runs = look(uri, "digits")
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs["search"].data.params["budget.trials"] == "4"
    assert runs["search"].data.tags["changed.budget.trials"] == "8", "a parameter cannot change, a tag tells"


def test_a_new_search_of_an_old_name_is_not_mixed_with_it(uri: str, make_mirror: Make) -> None:
    for start_s in (1000.0, 5000.0):
        mirror = make_mirror(uri)
        mirror.replay([search_start(start_s), *trial_events(0, start_s)])
        mirror.close(PATIENCE_S)
        assert mirror.warning is None
    with pytest.raises(AssertionError, match="shown twice"):
        look(uri, "digits")  # two parents, each with its own trial-0000
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert len({run.data.tags.get("qpm.parent") for run in runs}) == 3


@pytest.mark.parametrize("kept", [range(1, 100), (3,)], ids=["no first event", "one outcome"])
def test_a_search_whose_first_event_was_lost_is_still_the_same(uri: str, make_mirror: Make, kept: Any) -> None:
    events = ledger(2)
    first = make_mirror(uri)
    first.replay(events)
    first.close(PATIENCE_S)
    before = {name: run.info.run_id for name, run in look(uri, "digits").items()}

    later = [event for place, event in enumerate(events) if place in kept]
    second = make_mirror(uri)
    second.replay([*later, search_start(time_s=5000.0)])
    second.close(PATIENCE_S)
    assert second.warning is None
    assert {name: run.info.run_id for name, run in look(uri, "digits").items()} == before


@pytest.mark.parametrize("name", ["a/b:c", "it's", "..", "mañana 1"])
def test_odd_names_become_names_mlflow_takes(uri: str, make_mirror: Make, tmp_path: Path, name: str) -> None:
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "model.json").write_text("{}")
    mirror = make_mirror(uri, name)
    mirror.replay(ledger(1))
    assert mirror.register(tmp_path / "key", name, 0, "picked", "why").endswith("/1")
    mirror.close(PATIENCE_S)
    assert mirror.warning is None


@pytest.mark.slow
def test_a_front_is_shown_and_the_newest_counts(uri: str, make_mirror: Make, tmp_path: Path) -> None:
    page, absent = tmp_path / "report.html", tmp_path / "front.svg"
    page.write_text("<p>one</p>")
    mirror = make_mirror(uri)
    mirror.replay(ledger(3))
    mirror.front({0: 1, 1: 2, 2: 1}, [(1002.0, 0.25), (1003.0, 0.5)], [page, absent])
    until(lambda: look(uri, "digits").get("trial-0002", mirror) is not mirror)
    page.write_text("<p>two, longer</p>")
    own, picture = tmp_path / "front-0.svg", tmp_path / "front.svg"
    own.write_text("<svg>0</svg>")
    picture.write_text("<svg/>")
    history_of = [(1002.0, 0.25), (1003.0, 0.5), (1004.0, 0.75), (1005.0, float("nan"))]
    mirror.front({0: 1, 2: 2}, history_of, [page, picture], pictures={0: own}, elapsed_s=12.5)
    mirror.close(PATIENCE_S)
    assert mirror.warning is None

    runs = look(uri, "digits")
    tags = [runs[f"trial-{trial:04d}"].data.tags for trial in range(3)]
    assert [tag["pareto"] for tag in tags] == ["true", "false", "false"]
    assert [tag.get("rank") for tag in tags] == ["1", None, "2"]
    parent = runs["search"].info.run_id
    assert history(uri, parent, "hypervolume") == [(1, 0.25), (2, 0.5), (3, 0.75)]
    client = MlflowClient(uri)
    assert {found.path for found in client.list_artifacts(parent)} == {"front.csv", "front.svg", "report.html"}
    assert f"get-artifact?path=front.svg&run_uuid={parent}" in runs["search"].data.tags["mlflow.note.content"]
    assert runs["search"].data.metrics["seconds"] == 12.5
    of_a_member = client.download_artifacts(runs["trial-0000"].info.run_id, "front.svg")
    assert Path(of_a_member).read_text() == "<svg>0</svg>"
    assert Path(client.download_artifacts(parent, "report.html")).read_text() == "<p>two, longer</p>"
    header, row = Path(client.download_artifacts(parent, "front.csv")).read_text().splitlines()
    assert header == "trial,features_per_class,n_features,seed,width,accuracy,plausibility,seconds"
    assert row == "0,5,50,0,512,79.0,50.0,20.0"


def test_a_picked_model_is_registered_once_and_its_alias_moves(uri: str, make_mirror: Make, tmp_path: Path) -> None:
    for key in ("finetune0", "finetune1"):
        (tmp_path / key).mkdir()
        (tmp_path / key / "model.safetensors").write_bytes(b"weights of " + key.encode())
    mirror = make_mirror(uri)
    mirror.replay(ledger(2))
    addresses = [
        mirror.register(tmp_path / f"finetune{trial}", "digits", trial, "picked", f"because {trial}")
        for trial in (0, 1, 1, 0)
    ]
    assert addresses == ["models:/digits/1", "models:/digits/2", "models:/digits/2", "models:/digits/1"]
    client = MlflowClient(uri, registry_uri=uri)
    version = client.get_model_version_by_alias("digits", "picked")
    assert int(version.version) == 1
    assert version.run_id == look(uri, "digits")["trial-0000"].info.run_id
    assert version.tags["qpm.trial"] == "0"
    assert version.description == "because 0"
    source = Path(version.source.removeprefix("file://"))
    assert (source / "model.safetensors").read_bytes() == b"weights of finetune0"

    with pytest.raises(TunerError, match="trial 9 of search 'digits' is not in MLflow"):
        mirror.register(tmp_path / "finetune0", "digits", 9, "picked", "why")
    with pytest.raises(TunerError, match="alias"):
        mirror.register(tmp_path / "finetune0", "digits", 0, "no/alias!", "why")
    with pytest.raises(TunerError, match="other"):
        mirror.register(tmp_path / "finetune0", "other", 0, "picked", "why")
    assert mirror.warning is None, "the one who asks is told; the search has nothing to be warned of"


def test_a_job_without_the_ledger_finds_the_newest_search(uri: str, make_mirror: Make, tmp_path: Path) -> None:
    driver = make_mirror(uri)
    driver.replay(ledger(1)[:3])
    until(lambda: "trial-0000" in look(uri, "digits"))
    job = make_mirror(uri)
    job.publish({"event": "pick", "trial": 0, "reason": "The only one.", "time_s": 3000.0})
    job.close(PATIENCE_S, status=None)
    runs = look(uri, "digits")
    assert runs["search"].data.tags["pick_reason"] == "The only one."
    assert {run.info.status for run in runs.values()} == {"RUNNING"}, "a job ended runs that are not its own"


def test_a_description_that_somebody_wrote_stays(uri: str, make_mirror: Make) -> None:
    pick = {"event": "pick", "trial": 0, "reason": "It is the knee.", "time_s": 3000.0}
    first = make_mirror(uri)
    first.replay(ledger(1))
    first.close(PATIENCE_S)
    client, parent = MlflowClient(uri), look(uri, "digits")["search"]
    assert "Charts of all trials" in parent.data.tags["mlflow.note.content"]
    client.set_tag(parent.info.run_id, "mlflow.note.content", "For the talk in May.")
    again = make_mirror(uri)
    again.replay([*ledger(1), pick])
    again.close(PATIENCE_S)
    tags = look(uri, "digits")["search"].data.tags
    assert (tags["mlflow.note.content"], tags["pick"]) == ("For the talk in May.", "trial-0000")


@pytest.mark.slow
def test_deleted_runs_and_experiments_come_back(uri: str, make_mirror: Make) -> None:
    events = ledger(2)
    mirror = make_mirror(uri)
    mirror.replay(events[:-1])
    until(lambda: "trial-0001" in look(uri, "digits"))
    client = MlflowClient(uri)
    client.delete_run(look(uri, "digits")["trial-0001"].info.run_id)
    mirror.publish(events[-1])
    mirror.close(PATIENCE_S)
    run = look(uri, "digits")["trial-0001"]
    assert run.data.metrics["accuracy"] == 79.01
    assert run.data.params["seed"] == "1", "what the deleted run showed is shown again"
    assert mirror.warning is None

    client.delete_experiment(client.get_experiment_by_name("digits").experiment_id)
    again = make_mirror(uri)
    again.replay(events)
    again.close(PATIENCE_S)
    assert "was deleted in MLflow; the search restored it" in str(again.warning)
    assert len(look(uri, "digits")) == 3


def test_events_that_make_no_sense_cost_a_note(uri: str, make_mirror: Make) -> None:
    first, *rest = ledger(1)
    mirror = make_mirror(uri)
    mirror.replay([first, {"event": "outcome", "trial": 0, "time_s": 1.0, "outcome": "odd"}, *rest])
    mirror.replay([{"event": "something new", "time_s": 1.0}, {"event": "trial", "time_s": 1.0}, {"time_s": 2.0}])
    mirror.close(PATIENCE_S)
    assert "cannot be interpreted" in str(mirror.warning)
    assert look(uri, "digits")["trial-0000"].info.status == "FINISHED"


def test_curves_that_cannot_be_read_are_shown_at_the_next_start(uri: str, make_mirror: Make) -> None:
    def broken(stage: str, key: str) -> list[dict[str, float]]:
        raise OSError(f"{stage} is out of reach")

    mirror = make_mirror(uri, curves=broken)
    mirror.replay(ledger(1))
    mirror.close(PATIENCE_S)
    assert "is out of reach" in str(mirror.warning)
    run = look(uri, "digits")["trial-0000"]
    assert run.data.metrics["accuracy"] == 79.0
    assert "dense/loss" not in run.data.metrics
    again = make_mirror(uri)
    again.replay(ledger(1))
    again.close(PATIENCE_S)
    run = look(uri, "digits")["trial-0000"]
    assert len(history(uri, run.info.run_id, "dense/loss")) == 3
    assert run.info.status == "FINISHED", "a late curve must not bring an ended trial back to life"


def test_a_pruned_trial_has_its_curve_up_to_the_rung_and_one_that_goes_on_has_it_once(
    uri: str, make_mirror: Make
) -> None:
    rows = [{"epoch": epoch, "loss": 1 / epoch, "val_loss": 2 / epoch, "val_n_images": 288} for epoch in range(1, 11)]

    def curves(stage: str, key: str) -> list[dict[str, float]]:
        return {"rung": rows[:3], "finetune": rows}.get(stage, [])

    rung = {"event": "stage", "stage": "rung", "key": "r", "reused": False, "seconds": 2.0, "saved_s": 0.0}
    whole, pruned = trial_events(0, 1001.0), trial_events(1, 1002.0)
    pruned = [event for event in pruned if event.get("stage") not in ("finetune", "evaluate")]
    pruned[-1] |= {"outcome": "pruned", "values": {}, "rung": {"accuracy": 61.0}, "rung_epochs": [3, 10]}
    events = [search_start()]
    for trial in (whole, pruned):
        events += [*trial[:3], rung | {"trial": trial[0]["trial"], "time_s": trial[2]["time_s"]}, *trial[3:]]
    mirror = make_mirror(uri, curves=curves)
    mirror.replay(events)
    mirror.close(PATIENCE_S)
    runs = look(uri, "digits")
    for name, epochs in (("trial-0000", 10), ("trial-0001", 3)):
        for metric, value in (("loss", 1.0), ("val_loss", 2.0)):
            shown = history(uri, runs[name].info.run_id, f"finetune/{metric}")
            assert shown == [(epoch, value / epoch) for epoch in range(1, epochs + 1)]
        assert "finetune/val_n_images" not in runs[name].data.metrics


def test_a_broken_file_costs_one_warning(tmp_path: Path, make_mirror: Make) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"no database " * 500)
    warnings: list[str] = []
    mirror = make_mirror(f"sqlite:///{path}", on_warning=warnings.append)
    mirror.replay(ledger(20))
    until(lambda: warnings)
    began = time.monotonic()
    mirror.close(PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S / 2
    assert len(warnings) == 1
    assert "file is not a database" in warnings[0]
    assert "move the file away" in warnings[0]


def test_a_locked_file_is_waited_for(uri: str, make_mirror: Make, tmp_path: Path) -> None:
    lock = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    warnings: list[str] = []
    mirror = make_mirror(uri, on_warning=warnings.append)
    mirror.replay(ledger(1))
    until(lambda: warnings)
    assert "database is locked" in warnings[0]
    lock.execute("ROLLBACK")
    lock.close()
    until(lambda: mirror.warning is None)
    mirror.close(PATIENCE_S)
    assert len(warnings) == 1
    assert look(uri, "digits")["trial-0000"].data.metrics["accuracy"] == 79.0


def test_nothing_to_show_costs_nothing(tmp_path: Path, make_mirror: Make) -> None:
    mirror: Any = make_mirror(f"sqlite:///{tmp_path / 'mlflow.db'}")
    mirror.replay([])
    mirror.close(5.0)
    assert not (tmp_path / "mlflow.db").exists()
    assert mirror.warning is None


@pytest.mark.slow
def test_a_run_mlflow_cannot_take_stops_no_other(uri: str, make_mirror: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.tracking.mirror.FIRST_PAUSE_S", 0.01)
    events = ledger(2)
    events[3]["time_s"] = 1e30  # no database has room for this
    mirror = make_mirror(uri)
    mirror.replay(events)
    until(lambda: "trial-0001" in look(uri, "digits"))
    mirror.close(PATIENCE_S)
    assert "trial-0000 is skipped until the next start" in str(mirror.warning)
    assert look(uri, "digits")["trial-0001"].data.metrics["accuracy"] == 79.01


def test_a_run_made_twice_by_a_late_answer_is_made_one(uri: str, make_mirror: Make) -> None:
    mirror = make_mirror(uri)
    mirror.replay(ledger(1))
    mirror.close(PATIENCE_S)
    client = MlflowClient(uri)
    run = look(uri, "digits")["trial-0000"]
    ours = {key: value for key, value in run.data.tags.items() if key.startswith(("qpm.s", "qpm.r", "qpm.p"))}
    client.create_run(run.info.experiment_id, start_time=run.info.start_time + 1, tags=ours, run_name="trial-0000")
    with pytest.raises(AssertionError, match="shown twice"):
        look(uri, "digits")
    again = make_mirror(uri)
    again.replay(ledger(1))
    again.close(PATIENCE_S)
    assert look(uri, "digits")["trial-0000"].info.run_id == run.info.run_id


def test_empty_texts_are_shown(uri: str, make_mirror: Make) -> None:
    start = search_start()
    start["recipe"] |= {"note": "", "nothing": None, "empty": {}}
    mirror = make_mirror(uri)
    mirror.replay([start])
    mirror.close(PATIENCE_S)
    params = look(uri, "digits")["search"].data.params
    assert (params["note"], params["nothing"], params["empty"]) == ("", "null", "{}")
    assert mirror.warning is None


def test_data_of_several_feature_banks_names_each_of_them():
    several = dataset_input(DatasetInfo("digits", "d" * 32, banks=["one", "two"])).dataset
    assert (several.digest, json.loads(several.source)) == ("d" * 32, {"feature_banks": ["one", "two"]})
    assert json.loads(dataset_input(DatasetInfo("digits", "one")).dataset.source) == {"feature_bank": "one"}
