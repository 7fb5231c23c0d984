"""Starts and stops an MLflow server on this machine, by process id; it listens on loopback by default.

One folder contains its files: `mlflow.json` (the process), `mlflow.log`, and by default the sqlite file and artifacts.
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
    """A running server: its address, process group, and start time (in clock ticks since boot)."""

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
    """Start a server and wait until it is healthy; if the folder's server is already running, return it.

    Args:
        folder: for the server's files.
        backend_store_uri: database address; default: an sqlite file in the folder. It is passed in the environment, so
            that a password in it does not appear in process lists.
        artifact_root: such as `s3://bucket/mlflow`, which clients access directly; default: a folder behind the server.
        host: address to listen on. MLflow has no password protection.
        port: default: any free port.
        patience_s: maximum wait in seconds.

    Raises:
        TunerError: the server ended or did not become healthy; the message contains the last lines of its log.
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
    """The folder's running server, or None."""
    server = _last(folder)
    return server if server is not None and Process(server.pid, server.began).alive else None


def stop(folder: Path, *, patience_s: float = STOP_PATIENCE_S) -> bool:
    """Stop the folder's server and its workers.

    Args:
        folder: as given to `start`.
        patience_s: seconds to wait for an orderly shutdown before it is killed.

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
