"""Real servers for tests, one of each a session, on loopback. Import the fixtures into a conftest."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import s3

BUCKET = "qpm-tests"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    """A SeaweedFS server with an empty bucket `BUCKET`."""
    folder = tmp_path_factory.mktemp("s3")
    server = s3.start(folder, BUCKET)
    yield server
    s3.stop(folder)
    assert s3.find(folder) is None


@pytest.fixture
def s3_url(
    s3_server: s3.S3Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, tmp_path: Path
) -> str:
    """An empty place on that server for one test, with the environment that reaches it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "node-cache"))
    place = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return f"s3://{BUCKET}/{place}-{tmp_path.name}".rstrip("-")
