"""The way to an MLflow server or file: quick to give up, quiet, and without a secret in any text.

mlflow takes seconds to import; only the mirror's own thread calls `connect`.
"""

import logging
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tuner.errors import TunerError

if TYPE_CHECKING:
    from mlflow import MlflowClient

PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the mirror itself tries again, for as long as the search runs
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
LOCK_PATIENCE_S = 2.0
REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
LONGEST_CAUSE = 300


def connect(uri: str) -> "MlflowClient":
    """A client for tracking and model registry.

    Raises:
        TunerError: an sqlite file is locked or is none.
        mlflow.exceptions.MlflowException: what else MLflow finds wrong.
    """
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    if (path := sqlite_path(uri)) is not None:
        _check_sqlite(path)
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # the mirror warns, once
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def sqlite_path(uri: str) -> Path | None:
    """The file of an `sqlite:///file` address, None for other addresses."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()


def artifact_location(uri: str) -> str | None:
    """Where artifacts go: beside an sqlite file; a server decides for itself (None)."""
    path = sqlite_path(uri)
    return None if path is None else (path.parent / "mlartifacts").as_uri()


def _check_sqlite(path: Path) -> None:
    # MLflow would try a broken file ten times in a row, for 100 s.
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_PATIENCE_S, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            database.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise TunerError(
            f"{path} cannot be used by MLflow: {error}",
            "an sqlite file that no other program keeps locked, in a folder that can be written",
            "end the program that uses it, or give MLflow another file; the search goes on meanwhile",
        ) from error
    except sqlite3.DatabaseError as error:
        raise TunerError(
            f"{path} cannot be read by MLflow: {error}",
            "an sqlite database made by MLflow",
            "move the file away; the next start of the search makes a new one from the ledger",
        ) from error


def describe(error: Exception, uri: str) -> TunerError:
    """Any failure as the one warning a user gets, in three parts, without secrets."""
    if isinstance(error, TunerError):
        return TunerError(*(redact(part, uri) for part in (error.what, error.expected, error.todo)))
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    return TunerError(
        f"MLflow at {redact(uri, uri)}: {redact(cause, uri)[:LONGEST_CAUSE]}",
        "a tracking server or sqlite file that answers and agrees; the search goes on without it",
        "start or repair it; what is missing is shown then, or at the next start of the search",
    )


def is_refusal(error: Exception) -> bool:
    """Whether MLflow answered and said no to this very request, so that asking again is useless."""
    return getattr(error, "error_code", None) in REFUSALS


def redact(text: str, uri: str) -> str:
    """The text without `user:password@` and without the address's password anywhere."""
    _, _, password = uri.partition("://")[2].rpartition("@")[0].partition(":")  # urlsplit stops at a / in it
    for secret in {password, unquote(password)} if password else ():
        text = text.replace(secret, "***")
    text = re.sub(r"(?<!sqlite)(?<!file)://\S*@", "://***@", text)
    return re.sub(r"(?i)((?:password|token|secret)=)[^&\s]+", r"\1***", text)
