"""MLflow on a real PostgreSQL: a search is shown by it, and its password by nobody."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import mlflow
from cluster.services import LOOPBACK, free_port
from tests.chaos.invariants import ledger_is_front_is_mlflow
from tests.searches import run_tiny

# `test_postgresql.py` has another PostgreSQL, from a wheel, in every run.
pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

PASSWORD = secrets.token_hex(16)


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database on loopback; PostgreSQL refuses to run as root."""
    programs = [shutil.which(name) for name in ("initdb", "postgres")]
    if None in programs:
        pytest.skip("no initdb and postgres on the PATH")
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="qpm-pg-"))
    (folder / "password").write_text(PASSWORD)
    for path in (folder, folder / "password"):
        shutil.chown(path, user)
    port = free_port()
    initdb = [programs[0], "-D", str(folder / "data"), "-U", "mlflow", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run([*initdb, f"--pwfile={folder}/password"], user=user, cwd=folder, check=True, capture_output=True)
    server = subprocess.Popen(
        [programs[1], "-D", folder / "data", "-h", LOOPBACK, "-p", str(port), "-k", folder],
        user=user,
        cwd=folder,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"postgresql+psycopg://mlflow:{PASSWORD}@{LOOPBACK}:{port}/postgres"
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait()
        shutil.rmtree(folder)


def test_a_search_is_mirrored_into_postgresql(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = mlflow.start(tmp_path / "mlflow", backend_store_uri=database)
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        result, printed = run_tiny(tmp_path / "runs")
        assert result.state.counts() == {"complete": 3}
        ledger_is_front_is_mlflow(result.home, server.url)
    finally:
        mlflow.stop(tmp_path / "mlflow")
    assert not list(tmp_path.rglob("mlflow.db")), "nothing went into sqlite"
    assert PASSWORD not in printed + (tmp_path / "mlflow" / "mlflow.log").read_text()
