"""The stores that the contract suite runs against: a folder, and a real S3 server."""

from pathlib import Path

import pytest

from tests.servers import s3_server, s3_url
from tuner.store import Store, open_store

__all__ = ["s3_server", "s3_url"]


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.cluster)])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "local":
        return open_store(tmp_path / "store")
    return open_store(request.getfixturevalue("s3_url"))


@pytest.fixture
def store(any_store: Store) -> Store:
    """The same, by the name that tests use."""
    return any_store


@pytest.fixture
def s3_store(s3_url: str) -> Store:
    """An empty store on S3."""
    return open_store(s3_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to publish: a text, a sub-folder, an empty file."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "info.json").write_text('{"a": 1}')
    (source / "sub" / "weights.bin").write_bytes(bytes(range(256)) * 40)
    (source / "empty").touch()
    return source
