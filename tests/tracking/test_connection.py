"""No secret leaves in a text, and a broken sqlite file is told in seconds."""

from pathlib import Path

import pytest

from tuner.errors import TunerError
from tuner.tracking.connection import artifact_location, connect, describe, redact


@pytest.mark.parametrize(
    "uri",
    [
        "http://someone:s3cr%3Dt@host:5000",
        "http://someone:s3cr%3Dt@host:5000/prefix",
        "postgresql+psycopg://someone:s3cr%3Dt@host/db",
    ],
)
def test_a_password_is_never_in_a_text(uri: str) -> None:
    for text in (uri, f"request to {uri}/api failed", "password authentication failed: 's3cr=t'", "?token=s3cr=t&a=1"):
        assert "s3cr" not in redact(text, uri)
    problem = describe(ConnectionError(f"cannot reach {uri}"), uri)
    assert "s3cr" not in str(problem)
    assert "host" in problem.what


def test_a_password_that_makes_no_address_is_not_shown_either() -> None:
    uri = "http://someone:s3cr/e=t@host:5000"
    assert redact(f"no such address: {uri}", uri) == "no such address: http://***@host:5000"
    assert "e=t" not in redact("Failed to parse: s3cr/e=t", uri)


def test_an_address_without_secrets_stays_as_it_is() -> None:
    for text in ("http://host:5000/#/experiments/1", "sqlite:////tmp/mlflow.db", "mail me@example.org"):
        assert redact(text, "http://host:5000") == text


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"this is no database, " * 100)
    before = path.read_bytes()
    with pytest.raises(TunerError, match=r"cannot be read by MLflow: file is not a database") as caught:
        connect(f"sqlite:///{path}")
    assert "move the file away" in caught.value.todo
    assert path.read_bytes() == before


def test_artifacts_lie_beside_an_sqlite_file_and_elsewhere_where_the_server_says(tmp_path: Path) -> None:
    assert artifact_location(f"sqlite:///{tmp_path}/mlflow.db") == (tmp_path / "mlartifacts").as_uri()
    assert artifact_location("http://host:5000") is None


def test_who_may_not_write_is_told_so() -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    told = describe(MlflowException("read only", PERMISSION_DENIED), "http://host:5000")
    assert "read only" in told.what
    assert "may write" in told.expected
    assert "the search continues" in told.expected
