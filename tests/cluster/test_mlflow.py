"""The local MLflow server: healthy when `start` returns, one a folder, gone after `stop`, honest about failure."""

import socket
import urllib.request
from pathlib import Path

import pytest

from cluster import mlflow
from tests.tracking.half_made import HALFWAY, half_made
from tuner.errors import TunerError

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


def test_a_server_starts_once_and_stops_whole(tmp_path: Path) -> None:
    assert mlflow.running(tmp_path) is None
    assert not mlflow.stop(tmp_path)
    half_made(tmp_path / "mlflow.db", HALFWAY[-1])  # by a server that was killed in its first seconds
    server = mlflow.start(tmp_path)
    try:
        with urllib.request.urlopen(f"{server.url}/health", timeout=5) as answer:
            assert answer.status == 200
        assert mlflow.start(tmp_path) == server, "a second start began a second server"
        members = [path for path in Path("/proc").glob("[0-9]*/stat") if _group(path) == server.pid]
        assert members
        assert all(b"mlflow.db" not in path.with_name("cmdline").read_bytes() for path in members)
    finally:
        assert mlflow.stop(tmp_path)
    assert mlflow.running(tmp_path) is None
    assert [path for path in members if path.exists() and _group(path) == server.pid] == []


def test_a_taken_port_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TunerError, match=f"server on port {port} did not start") as caught:
            mlflow.start(tmp_path, port=port)
    assert "mlflow.log" in caught.value.todo
    assert mlflow.running(tmp_path) is None
    assert not (tmp_path / "mlflow.json").exists()


def test_a_password_of_the_database_is_not_told(tmp_path: Path) -> None:
    uri = "postgresql+psycopg://someone:s3cret@127.0.0.1:1/db"
    with pytest.raises(TunerError) as caught:
        mlflow.start(tmp_path, backend_store_uri=uri, patience_s=20.0)
    assert "s3cret" not in str(caught.value)


def _group(stat: Path) -> int | None:
    try:
        state, _, group, *_ = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(group)
