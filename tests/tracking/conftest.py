"""An sqlite file whose schema is made once, and mirrors that never outlive their test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.ledgers import curves
from tuner.tracking import Mirror
from tuner.tracking.connection import connect


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sqlite file with MLflow's schema, which takes seconds to make."""
    path = tmp_path_factory.mktemp("schema") / "mlflow.db"
    connect(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(template: Path, tmp_path: Path) -> str:
    """The address of an empty MLflow database."""
    shutil.copy(template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def make_mirror() -> Iterator[Callable[..., Mirror]]:
    """Makes mirrors; those a test leaves open end with it, and leave their runs as they are."""
    made: list[Mirror] = []

    def make(uri: str, search: str = "digits", **options: Any) -> Mirror:
        made.append(Mirror(uri, search, **({"curves": curves} | options)))
        return made[-1]

    yield make
    for mirror in made:
        mirror.close(10.0, status=None)
