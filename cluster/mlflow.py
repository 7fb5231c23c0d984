"""Starts and stops an MLflow server on this machine, by its process id, and on loopback unless told otherwise.

A folder holds all of it: `mlflow.json` (who runs), `mlflow.log`, by default the sqlite file and artifacts.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.services import LOOPBACK, Process, answers, free_port, last_lines, not_healthy, spawn, wait_until
from tuner.tracking.connection import prepare, redact
from tuner.tracking.database import sqlite_uri

START_PATIENCE_S = 120.0
STOP_PATIENCE_S = 10.0


@dataclass(frozen=True)
class MlflowServer:
    """A running server: its address and process group, and when the process began (in clock ticks)."""

    url: str
    pid: int
    began: int

    def healthy(self) -> bool:
        """Whether it answers."""
        return answers(f"{self.url}/health") == 200


def start(
    folder: Path,
    *,
    backend_store_uri: str | None = None,
    artifact_root: str | None = None,
    host: str = LOOPBACK,
    port: int | None = None,
    patience_s: float = START_PATIENCE_S,
) -> MlflowServer:
    """Start a server and wait until it is healthy; one that runs already in the folder is returned as it is.

    Args:
        folder: where the server's files go.
        backend_store_uri: a database address; default an sqlite file in the folder. It travels in the
            environment, so that a password in it is in no process list.
        artifact_root: such as `s3://bucket/mlflow`, which clients then reach directly; default a folder
            behind the server.
        host: where it listens. MLflow asks nobody for a password.
        port: default any free one.
        patience_s: the longest wait, in seconds.

    Raises:
        TunerError: the server ended or did not become healthy; its log's last lines are in the message.
    """
    folder = folder.absolute()
    if (server := running(folder)) is not None:
        return server
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port(host)
    command = [sys.executable, "-m", "mlflow", "server", f"--host={host}", f"--port={port}", "--workers=1"]
    if host != LOOPBACK:
        command += [f"--allowed-hosts={host}:{port},localhost:*,127.0.0.1:*"]
    if artifact_root is not None:
        command += ["--no-serve-artifacts", "--default-artifact-root", artifact_root]
    else:
        command += ["--artifacts-destination", (folder / "mlartifacts").as_uri()]
    database = prepare(backend_store_uri or sqlite_uri(folder / "mlflow.db"), artifact_root)
    settings = {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    log = folder / "mlflow.log"
    process = spawn(command, log, os.environ | settings)
    server = MlflowServer(f"http://{host}:{port}", process.pid, process.began)
    (folder / "mlflow.json").write_text(json.dumps(asdict(server)))
    if not wait_until(server.healthy, process, patience_s):
        stop(folder)
        cause = redact(last_lines(log), database)
        raise not_healthy(f"the MLflow server on port {port}", f"{server.url}/health", log, patience_s, cause)
    return server


def running(folder: Path) -> MlflowServer | None:
    """The server that runs in the folder, or None."""
    server = _last(folder)
    return server if server is not None and Process(server.pid, server.began).alive else None


def stop(folder: Path, *, patience_s: float = STOP_PATIENCE_S) -> bool:
    """Stop the folder's server and its workers.

    Args:
        folder: as given to `start`.
        patience_s: how long it may take to end by itself before it is killed, in seconds.

    Returns:
        Whether one was running.
    """
    server = _last(folder)
    if server is None:
        return False
    process = Process(server.pid, server.began)
    was_running = process.alive
    process.end(patience_s)
    (folder / "mlflow.json").unlink(missing_ok=True)
    return was_running


def _last(folder: Path) -> MlflowServer | None:
    try:
        return MlflowServer(**json.loads((folder / "mlflow.json").read_text()))
    except FileNotFoundError:
        return None
