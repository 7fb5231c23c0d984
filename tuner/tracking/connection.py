"""Connects to an MLflow server or file, with short timeouts, little output, and no secrets in messages.

Importing mlflow takes seconds; only the mirror's own thread calls `connect`.
"""

import logging
import os
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tuner.base.secrets import hide
from tuner.errors import TunerError
from tuner.tracking.database import absolute, check_file, make_whole, sqlite_path
from tuner.tracking.place import FOLDER, anchor

if TYPE_CHECKING:
    from mlflow import MlflowClient

PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the mirror retries as long as the search runs
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
FORBIDDEN = ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
LONGEST_CAUSE = 300
BEHIND_A_SERVER = "mlflow-artifacts:/"


def connect(uri: str) -> "MlflowClient":
    """A client for tracking and the model registry.

    Raises:
        TunerError: an sqlite file is locked, invalid, or has tables that this MLflow cannot read.
        mlflow.exceptions.MlflowException: any other failure of MLflow.
    """
    uri = prepare(uri, artifact_location(uri))
    from mlflow import MlflowClient
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()  # keyed by run, not by database: a copy would use the original's
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def prepare(uri: str, artifacts: str | None) -> str:
    """Configure MLflow and create or upgrade an sqlite file; returns the address for MLflow.

    Args:
        uri: address of the tracking server or sqlite file.
        artifacts: artifact location of an sqlite file's default experiment; None for a server.

    Raises:
        TunerError: see `connect`.
    """
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    path = sqlite_path(uri)
    if path is not None:
        check_file(path)
    import mlflow  # noqa: F401

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # the mirror warns, once
    if path is not None:
        make_whole(path, artifacts or BEHIND_A_SERVER)
        if artifacts is not None:
            anchor(path)
    return absolute(uri)


def artifact_location(uri: str) -> str | None:
    """Artifact location: beside an sqlite file; None for a server, which decides itself."""
    path = sqlite_path(uri)
    return None if path is None else (path.parent / FOLDER).as_uri()


def describe(error: Exception, uri: str) -> TunerError:
    """Any failure as an error message for the user, without secrets."""
    if isinstance(error, TunerError):
        return TunerError(*(redact(part, uri) for part in (error.what, error.expected, error.todo)))
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    what = f"MLflow at {redact(uri, uri)}: {redact(cause, uri)[:LONGEST_CAUSE]}"
    if getattr(error, "error_code", None) in FORBIDDEN:
        return TunerError(
            what,
            "an account that may write to this experiment; the search continues without it",
            "ask for the right or give MLflow another address; the next start sends the missing runs",
        )
    return TunerError(
        what,
        "a reachable tracking server or usable sqlite file; the search continues without it",
        "start or repair it; MLflow then gets the missing runs, at the latest when the search starts again",
    )


def is_refusal(error: Exception) -> bool:
    """Whether MLflow answered and rejected this request, so that retrying is pointless."""
    return getattr(error, "error_code", None) in REFUSALS


def redact(text: str, uri: str) -> str:
    """The text without `user:password@` and without any other occurrence of the address's password."""
    address = "" if uri.startswith(("sqlite:", "file:")) else uri.partition("://")[2]
    _, _, password = address.rpartition("@")[0].partition(":")  # urlsplit stops at a / in it
    for secret in {password, unquote(password)} if password else ():
        text = text.replace(secret, "***")
    return hide(text)
