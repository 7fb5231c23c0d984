"""Databases as MLflow leaves them when it dies, or as an older MLflow made them."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic import command
from mlflow.store.db import utils

OLDER = "0584bdc529eb"  # a revision of MLflow 2 whose tables this MLflow brings up to date

HALFWAY = (
    90,
    120,
    258,
    603,
)  # statements after which MLflow cannot go on: a table or column is there, its revision not


def _hasty_engine(path: Path) -> sqlalchemy.Engine:
    engine = utils.create_sqlalchemy_engine(f"sqlite:///{path}")
    sqlalchemy.event.listen(engine, "connect", lambda file, _: file.execute("PRAGMA synchronous = OFF"))
    return engine


def half_made(path: Path, statements: int) -> None:
    """What MLflow leaves of a new database when it ends after so many statements."""
    left = statements

    def stop(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise InterruptedError

    engine = _hasty_engine(path)
    sqlalchemy.event.listen(engine, "before_cursor_execute", stop)
    with pytest.raises(InterruptedError):
        utils._initialize_tables(engine)
    engine.dispose()


def made_by_an_older_mlflow(path: Path) -> None:
    """A whole database of an older MLflow."""
    engine = _hasty_engine(path)
    utils.InitialBase.metadata.create_all(engine)
    config = utils._get_alembic_config(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLDER)
    engine.dispose()
