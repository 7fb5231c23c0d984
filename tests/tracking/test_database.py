"""The sqlite file is whole, whoever died while making it, and keeps what it holds; its address may be odd."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.store.db import utils

from tests.tracking.half_made import HALFWAY, half_made, made_by_an_older_mlflow
from tests.tracking.ledgers import history, ledger, look
from tuner.base import locks
from tuner.errors import TunerError
from tuner.store.disk import locked
from tuner.tracking import Mirror, database
from tuner.tracking.connection import connect
from tuner.tracking.database import absolute, sqlite_path, sqlite_uri


def execute(path: Path, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements in a transaction of their own; the last one's rows."""
    with closing(sqlite3.connect(path)) as file, file:
        return [file.execute(statement).fetchall() for statement in statements][-1]


A_RUN = (
    "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'birds', 'active')",
    "INSERT INTO runs (run_uuid, name, status, lifecycle_stage, experiment_id, user_id, start_time) "
    "VALUES ('abc', 'one', 'FINISHED', 'active', 7, 'ana', 1)",
)


@pytest.fixture(scope="module")
def older_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("older") / "mlflow.db"
    made_by_an_older_mlflow(path)
    return path


@pytest.fixture
def older(older_template: Path, tmp_path: Path) -> Path:
    """An empty database of an older MLflow."""
    return Path(shutil.copy(older_template, tmp_path / "mlflow.db"))


@pytest.mark.slow
@pytest.mark.parametrize("statements", HALFWAY)
def test_a_half_made_file_is_made_anew_and_shows_everything(
    tmp_path: Path, make_mirror: Callable[..., Mirror], statements: int
) -> None:
    path = tmp_path / "mlflow.db"
    half_made(path, statements)
    mirror = make_mirror(f"sqlite:///{path}")
    mirror.replay(ledger(2))
    mirror.close(60.0)
    assert mirror.warning is None
    runs = look(f"sqlite:///{path}", "digits")
    assert set(runs) == {"search", "trial-0000", "trial-0001"}
    assert len(history(f"sqlite:///{path}", runs["trial-0001"].info.run_id, "dense/loss")) == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


@pytest.mark.slow
def test_what_was_never_begun_is_made(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    half_made(tmp_path / "killed.db", HALFWAY[0])
    shutil.copy(tmp_path / "killed.db", tmp_path / "absent.db-journal")  # its database was deleted
    for name in ("empty", "absent"):
        assert [found.name for found in connect(f"sqlite:///{tmp_path}/{name}.db").search_experiments()] == ["Default"]
    assert not (tmp_path / "absent.db-journal").exists()


@pytest.mark.slow
def test_an_older_database_keeps_its_runs(older: Path) -> None:
    path = older
    execute(path, *A_RUN)
    with closing(sqlite3.connect(path)) as reader:  # a program that has the file open goes on with it
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (1,)
        (run,) = connect(f"sqlite:///{path}").search_runs(["7"])
        assert (run.info.run_id, run.info.status) == ("abc", "FINISHED")
        assert reader.execute("SELECT version_num FROM alembic_version").fetchone() == (
            utils._get_latest_schema_revision(),
        )


@pytest.mark.slow
@pytest.mark.parametrize("cause", ["a table is in the way", "a newer MLflow made it"])
def test_runs_in_a_file_that_cannot_be_read_are_kept(older: Path, cause: str) -> None:
    path = older
    execute(path, *A_RUN)
    execute(
        path, "CREATE TABLE secrets (a)" if "table" in cause else "UPDATE alembic_version SET version_num = 'f' || 1"
    )
    before = path.read_bytes()
    with pytest.raises(TunerError, match="cannot be upgraded") as caught:
        connect(f"sqlite:///{path}")
    assert str(path) in caught.value.what
    assert ("secrets already exists" if "table" in cause else "'f1'") in caught.value.what
    assert "'runs' has rows" in caught.value.expected
    assert "tracking.uri" in caught.value.todo
    assert path.read_bytes() == before
    execute(path, "DELETE FROM runs")  # nothing is left that anybody could miss
    assert connect(f"sqlite:///{path}").search_experiments()[0].name == "Default"


@pytest.mark.slow
def test_what_others_write_meanwhile_is_not_lost(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, make = older, database._bring_up_to_date

    def make_slowly(draft: Path, artifacts: str) -> None:
        make(draft, artifacts)
        execute(path, *A_RUN)

    monkeypatch.setattr(database, "_bring_up_to_date", make_slowly)
    with pytest.raises(TunerError, match="another program wrote"):
        connect(f"sqlite:///{path}")
    monkeypatch.undo()
    assert [run.info.run_id for run in connect(f"sqlite:///{path}").search_runs(["7"])] == ["abc"]


@pytest.mark.slow
def test_many_first_searches_make_one_file(tmp_path: Path) -> None:
    together, found = threading.Barrier(4), []

    def search(number: int) -> None:
        together.wait()
        connect(f"sqlite:///{tmp_path}/mlflow.db").create_experiment(f"search {number}")
        found.append(number)

    threads = [threading.Thread(target=search, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1, 2, 3]
    names = {experiment.name for experiment in connect(f"sqlite:///{tmp_path}/mlflow.db").search_experiments()}
    assert names == {"Default", *(f"search {number}" for number in range(4))}


def test_who_waits_too_long_for_another_maker_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "MAKING_PATIENCE_S", 0.1)
    monkeypatch.setattr(locks, "WORD_AFTER_S", 0.0)
    with locked(tmp_path / ".mlflow.db.lock"), pytest.raises(TunerError, match="another process has been creating"):
        connect(f"sqlite:///{tmp_path}/mlflow.db")
    assert ".mlflow.db.lock" in caplog.messages[0]
    assert f"held by pid {os.getpid()}" in caplog.messages[0]


MORTAL = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tuner.tracking.connection import connect

moment, left = sys.argv[2], int(sys.argv[2]) if sys.argv[2].isdigit() else 0
rename = Path.rename

def die(*_):
    global left
    left -= 1
    left or os.kill(os.getpid(), signal.SIGKILL)

def rename_and_die(self, target):
    rename(self, target)
    os.kill(os.getpid(), signal.SIGKILL)

if moment.isdigit():
    event.listen(Engine, "before_cursor_execute", die)
else:
    Path.rename = rename_and_die
connect(f"sqlite:///{sys.argv[1]}/mlflow.db")
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", [str(HALFWAY[0]), "renamed"])
def test_kill_9_leaves_a_whole_file_or_none(tmp_path: Path, moment: str) -> None:
    words = [sys.executable, "-c", MORTAL, str(tmp_path), moment]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "mlflow.db").exists() == (moment == "renamed")
    assert connect(f"sqlite:///{tmp_path}/mlflow.db").search_experiments()[0].name == "Default"
    assert sorted(file.name for file in tmp_path.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a b #1", "50%20?", "mañana's"])
def test_a_folder_may_have_any_name(tmp_path: Path, make_mirror: Callable[..., Mirror], name: str) -> None:
    folder = tmp_path / name
    mirror = make_mirror(sqlite_uri(folder / "mlflow.db"))
    (tmp_path / "front.svg").write_text("<svg/>")
    mirror.replay(ledger(1))
    mirror.front({0: 1}, [(1002.0, 0.5)], [tmp_path / "front.svg"])
    mirror.close(60.0)
    assert mirror.warning is None
    assert execute(folder / "mlflow.db", "SELECT count(*) FROM runs") == [(2,)]
    assert len(list(folder.glob("mlartifacts/*/artifacts/front.svg"))) == 1


def test_addresses_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ana")
    expected = {
        "sqlite:///mlflow.db": tmp_path / "mlflow.db",
        "sqlite:///runs/my search #2.db": tmp_path / "runs" / "my search #2.db",
        "sqlite:////data/mlflow.db": Path("/data/mlflow.db"),
        "sqlite+pysqlite:////data/mlflow.db": Path("/data/mlflow.db"),
        "sqlite:////data/mlflow.db?timeout=20": Path("/data/mlflow.db"),
        "sqlite:////data/what%3F.db": Path("/data/what?.db"),
        "sqlite:///~/mlflow.db": Path("/home/ana/mlflow.db"),
        "sqlite://": None,
        "sqlite:///:memory:": None,
        "http://host:5000": None,
    }
    for uri, path in expected.items():
        assert sqlite_path(uri) == path, uri
        assert absolute(uri) == (uri if path is None else absolute(absolute(uri))), uri
    assert absolute("sqlite:///~/mlflow.db?timeout=20") == "sqlite:////home/ana/mlflow.db?timeout=20"
    for name in ("plain", "50% off", "100%25", "what?", "#1", "ü"):
        assert sqlite_path(sqlite_uri(tmp_path / name)) == tmp_path / name


def test_the_command_that_shows_it_can_be_copied(tmp_path: Path, make_mirror: Callable[..., Mirror]) -> None:
    assert make_mirror("sqlite:////a b/@x.db").url == "mlflow server --backend-store-uri 'sqlite:////a b/@x.db'"
