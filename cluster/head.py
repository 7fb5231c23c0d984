"""A Ray head for one machine: always requires a token, listens on loopback by default, is stopped by process id.

Ray replaces `--node-ip-address=127.0.0.1` by a reachable address and then listens on all interfaces. The variable that
keeps it on loopback is the one that does so by default on macOS and Windows; every process that connects needs it too,
so `environment` contains it.
"""

import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.services import LOOPBACK, Process, answers, free_port, not_healthy, spawn, wait_until
from tuner.base.files import write_private
from tuner.base.private import choose_root

START_PATIENCE_S = 180.0
STOP_PATIENCE_S = 20.0
STOP_JOB_S = 60
"""Seconds that a stopped job has to save its state; Ray's default is 3."""

SESSION_BYTES = 107 - len("/session_2026-01-31_12-30-59_123456_4194304/sockets/dash_TaskEventsHead")
"""Maximum length of the path of the folder with Ray's session: the limit of socket paths minus Ray's own part."""

OBJECT_STORE_BYTES = 200_000_000  # stages exchange store keys, hardly any objects


@dataclass(frozen=True)
class RayHead:
    """A running head.

    Attributes:
        pid: process id of `ray start --block`, which ends when any of Ray's processes does.
        began: its start time in clock ticks since boot.
        host: its address.
        port: port of Ray's own protocol.
        dashboard_port: port of the dashboard and job submission.
        token_file: file with the cluster's token, readable only by its owner.
        scratch: private folder with Ray's session: sockets, logs, working folders of jobs.
        surroundings: hash of the environment that its jobs inherit.
    """

    pid: int
    began: int
    host: str
    port: int
    dashboard_port: int
    token_file: str
    scratch: str
    surroundings: str

    @property
    def address(self) -> str:
        """The value for RAY_ADDRESS."""
        return f"{self.host}:{self.port}"

    @property
    def dashboard(self) -> str:
        """The URL for RAY_API_SERVER_ADDRESS and for browsers."""
        return f"http://{self.host}:{self.dashboard_port}"

    def environment(self) -> dict[str, str]:
        """The environment variables with which drivers and `ray job` find and access the head."""
        found = {
            "RAY_ADDRESS": self.address,
            "RAY_API_SERVER_ADDRESS": self.dashboard,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": self.token_file,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        return found | ({"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"} if self.host == LOOPBACK else {})

    def healthy(self) -> bool:
        """Whether it answers requests with its token."""
        return answers(f"{self.dashboard}/api/jobs/", Path(self.token_file).read_text()) == 200


def start(
    folder: Path,
    surroundings: Mapping[str, str],
    *,
    host: str = LOOPBACK,
    port: int,
    dashboard_port: int,
    cpus: int | None = None,
    gpus: int | None = None,
    patience_s: float = START_PATIENCE_S,
) -> RayHead:
    """Start a head and wait until it accepts jobs; if the folder's head is already running, return it.

    Args:
        folder: for token, log and `head.json`.
        surroundings: environment variables that every job inherits: addresses, and the store's keys. They exist only
            in the memory of Ray's processes, not in job descriptions.
        host: address to listen on. Except on loopback, Ray's own protocol listens on all interfaces, behind the token.
        port: port of Ray's own protocol.
        dashboard_port: port of the dashboard and job submission.
        cpus: number of CPUs that Ray may allocate; None: all.
        gpus: number of GPUs that Ray may allocate; None: all.
        patience_s: maximum wait in seconds.

    Raises:
        TunerError: it ended or was not healthy in time; the message contains the last lines of its log.
    """
    if (found := running(folder)) is not None:
        return found
    stop(folder)  # clean up after a killed head
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = folder / "token"
    if not token.exists():
        write_private(token, secrets.token_hex(32))
    root, _ = choose_root(SESSION_BYTES, "RAY_TMPDIR")
    scratch = tempfile.mkdtemp(prefix="qpmr-", dir=root)  # private; Ray opens its own to everybody
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"]
    command += [f"--node-ip-address={host}", f"--port={port}", f"--temp-dir={scratch}/r"]
    command += [f"--dashboard-host={host}", f"--dashboard-port={dashboard_port}"]
    command += [f"--ray-client-server-port={free_port()}", f"--dashboard-agent-listen-port={free_port()}"]
    command += [f"--object-store-memory={OBJECT_STORE_BYTES}", "--log-style=record", "--log-color=false"]
    command += [f"--num-cpus={cpus}"] if cpus is not None else []
    command += [f"--num-gpus={gpus}"] if gpus is not None else []
    head = RayHead(0, 0, host, port, dashboard_port, str(token), scratch, digest(surroundings))
    environment = {**os.environ, **surroundings, **head.environment(), **_for_jobs()}
    del environment["RAY_ADDRESS"]  # Ray sets it for each job; a head must not try to join another
    environment.pop("MLFLOW_BACKEND_STORE_URI", None)  # only the server needs the database password
    log = folder / "head.log"
    process = spawn(command, log, environment)
    head = RayHead(**{**asdict(head), **asdict(process)})
    write_private(folder / "head.json", json.dumps(asdict(head)))
    if not wait_until(head.healthy, process, patience_s):
        stop(folder)
        raise not_healthy(f"the Ray head on port {port}", head.dashboard, log, patience_s)
    return head


def running(folder: Path) -> RayHead | None:
    """The folder's running head, or None."""
    try:
        head = RayHead(**json.loads((folder / "head.json").read_text()))
    except FileNotFoundError:
        return None
    return head if Process(head.pid, head.began).alive else None


def stop(folder: Path, *, patience_s: float = STOP_PATIENCE_S) -> bool:
    """Stop the folder's head with all its processes and remove Ray's session; returns whether one was running.

    `ray stop` is never used: it would end all Ray processes of the machine, whoever started them.
    """
    try:
        head = RayHead(**json.loads((folder / "head.json").read_text()))
    except FileNotFoundError:
        return False
    process = Process(head.pid, head.began)
    was_running = process.alive
    process.end(patience_s)
    shutil.rmtree(head.scratch, ignore_errors=True)
    (folder / "head.json").unlink()
    return was_running


def digest(surroundings: Mapping[str, str]) -> str:
    """A hash of an environment that does not reveal the secrets in it."""
    return hashlib.sha256(json.dumps(sorted(surroundings.items())).encode()).hexdigest()


def _for_jobs() -> dict[str, str]:
    """Additional variables for jobs: this `python` first in PATH, and time for an orderly shutdown."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_JOB_S),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
