"""Artifacts are found beside the sqlite file after it was moved or copied, and nobody else's are touched."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.tracking.ledgers import ledger, look
from tests.tracking.test_database import execute
from tuner.errors import TunerError
from tuner.tracking import Mirror, place
from tuner.tracking.connection import connect, prepare

Make = Callable[..., Mirror]
COLUMNS = [f"SELECT {column} FROM {table}" for table, column in place._COLUMNS]


def shown(make: Make, folder: Path, tmp_path: Path, page: str = "<p>") -> str:
    """Show a search with a report and a registered model, as the end of a search does; the database's address."""
    uri = f"sqlite:///{folder}/mlflow.db"
    (tmp_path / "report.html").write_text(page)
    (tmp_path / "model").mkdir(exist_ok=True)
    (tmp_path / "model" / "card.json").write_text("{}")
    mirror = make(uri)
    mirror.replay(ledger(1))
    mirror.front({0: 1}, [(1002.0, 0.5)], [tmp_path / "report.html"])
    mirror.register(tmp_path / "model", "digits", 0, "picked", "why")
    mirror.close(60.0)
    assert mirror.warning is None
    return uri


def artifact(uri: str, name: str = "report.html") -> str:
    """What MLflow itself finds, by the address that the run has in the database."""
    run = look(uri, "digits")["search"].info
    return Path(connect(uri).download_artifacts(run.run_id, name)).read_text()


def addresses(folder: Path) -> list[str]:
    return [row[0] for query in COLUMNS for row in execute(folder / "mlflow.db", query) if row[0]]


@pytest.fixture
def runs(template: Path, tmp_path: Path, make_mirror: Make) -> Path:
    """A folder with a search in MLflow."""
    (tmp_path / "runs").mkdir()
    shutil.copy(template, tmp_path / "runs" / "mlflow.db")
    shown(make_mirror, tmp_path / "runs", tmp_path)
    return tmp_path / "runs"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elsewhere", "deep/er place #1 50%"])
def test_a_moved_folder_keeps_its_artifacts(runs: Path, tmp_path: Path, make_mirror: Make, name: str) -> None:
    moved = tmp_path / name
    moved.parent.mkdir(exist_ok=True)
    runs.rename(moved)
    uri = shown(make_mirror, moved, tmp_path, "<p>new")
    assert not runs.exists()
    assert artifact(uri) == "<p>new"
    ours = [address for address in addresses(moved) if not address.endswith("mlartifacts/0")]
    assert len(ours) >= 5
    assert all(address.startswith((moved / "mlartifacts").as_uri()) for address in ours), ours
    version = MlflowClient(uri, registry_uri=uri).get_model_version_by_alias("digits", "picked")
    assert (place.folder_of(version.source) or Path()).joinpath("card.json").read_text() == "{}"
    before = addresses(moved)
    connect(uri)
    assert addresses(moved) == before


@pytest.mark.slow
def test_a_copy_writes_nothing_into_the_original(runs: Path, tmp_path: Path, make_mirror: Make) -> None:
    copy = Path(shutil.copytree(runs, tmp_path / "copy"))
    before = addresses(runs)
    uri = shown(make_mirror, copy, tmp_path, "<p>copy")
    assert artifact(uri) == "<p>copy"
    assert artifact(f"sqlite:///{runs}/mlflow.db") == "<p>"
    assert addresses(runs) == before
    shutil.rmtree(copy / "mlartifacts")  # a copy of the file alone
    shutil.copy(runs / "mlflow.db", copy / "mlflow.db")
    assert artifact(shown(make_mirror, copy, tmp_path, "<p>again")) == "<p>again"
    assert artifact(f"sqlite:///{runs}/mlflow.db") == "<p>"


def test_a_folder_under_another_name_is_not_moved(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(runs)
    before = addresses(runs)
    connect(f"sqlite:///{tmp_path}/link/mlflow.db")
    assert addresses(runs) == before


@pytest.mark.slow
def test_a_file_that_was_moved_alone_leaves_its_artifacts_where_they_are(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (runs / "mlflow.db").rename(tmp_path / "alone" / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/alone/mlflow.db"
    connect(uri)
    assert artifact(uri) == "<p>"


@pytest.mark.slow
def test_experiments_of_others_and_databases_of_servers_stay_as_they_are(runs: Path, tmp_path: Path) -> None:
    client = connect(f"sqlite:///{runs}/mlflow.db")
    for name, location in (
        ("s3", "s3://bucket/a"),
        ("own", "file:///own/mlartifacts"),
        ("old", f"{runs}x/mlartifacts"),
    ):
        client.create_run(client.create_experiment(name, artifact_location=location))
    runs.rename(tmp_path / "b")
    before = addresses(tmp_path / "b")
    prepare(f"sqlite:///{tmp_path}/b/mlflow.db", None)  # a server's
    assert addresses(tmp_path / "b") == before
    connect(f"sqlite:///{tmp_path}/b/mlflow.db")
    after = addresses(tmp_path / "b")
    foreign = [address for address in before if "s3:" in address or "/own/" in address or "runsx" in address]
    assert len(foreign) == 6
    assert set(foreign) <= set(after)
    assert not [address for address in after if address.startswith(runs.as_uri() + "/")]


def test_no_other_place_than_a_folder_of_artifacts_is_written_to(tmp_path: Path) -> None:
    for address in (
        "http://127.0.0.1:9/x", "mlflow-artifacts://127.0.0.1:9/x", "mlflow-artifacts:/x", "s3://bucket/mlartifacts",
        "dbfs:/mlartifacts", "databricks", "plugin:///mlartifacts", "file://host/mlartifacts", "//host/mlartifacts",
        "file:///home/somebody/.ssh", "file:///x/mlartifacts/../../etc", "file:///x/mlartifacts/%2e%2e/%2e%2e/etc",
        "mlartifacts", "",
    ):  # fmt: skip
        with pytest.raises(TunerError, match="stores artifacts at"):
            place.refuse_elsewhere(address, "digits", "x")
    for address in (
        (tmp_path / "mlartifacts").as_uri(),
        f"{tmp_path}/mlruns/1",
        "file:///a%20b/mlartifacts/1/artifacts",
    ):
        place.refuse_elsewhere(address, "digits", "x")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["experiments SET artifact_location", "runs SET artifact_uri"])
def test_a_planted_file_sends_nothing_elsewhere(runs: Path, tmp_path: Path, make_mirror: Make, what: str) -> None:
    execute(runs / "mlflow.db", f"UPDATE {what} = '{tmp_path.as_uri()}/.ssh'")
    mirror = make_mirror(f"sqlite:///{runs}/mlflow.db")
    mirror.replay(ledger(2))
    mirror.front({0: 1}, [(1002.0, 0.5)], [tmp_path / "report.html"])
    mirror.close(60.0, status=None)
    assert "stores artifacts at" in str(mirror.warning)
    assert not (tmp_path / ".ssh").exists()


def test_a_locked_file_is_told_and_a_reader_in_between_sees_whole_addresses(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.rename(tmp_path / "b")
    path, rename = tmp_path / "b" / "mlflow.db", place._rename
    seen: list[Any] = []

    def look_and_rename(*arguments: Any) -> None:
        rename(*arguments)
        with closing(sqlite3.connect(path)) as reader:
            seen.extend(reader.execute("SELECT artifact_uri FROM runs").fetchall())
        raise sqlite3.OperationalError("killed here")

    monkeypatch.setattr(place, "_rename", look_and_rename)
    with pytest.raises(TunerError, match="cannot be used by MLflow"):
        connect(f"sqlite:///{path}")
    assert seen
    assert all(str(runs) in uri for (uri,) in seen)
    monkeypatch.undo()
    connect(f"sqlite:///{path}")
    assert not [address for address in addresses(tmp_path / "b") if address.startswith(runs.as_uri() + "/")]
