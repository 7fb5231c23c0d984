"""A Ray head for one machine: its token is always asked for, it stays on loopback unless told, it ends by its own id.

Ray insists on a reachable address even when told `--node-ip-address=127.0.0.1`, and then listens on every
interface. The switch that keeps it on loopback is the one by which it does so on macOS and Windows; every
process that joins needs it too, so `environment` holds it.
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
"""How long a stopped job may take to write down where it stands, in seconds; Ray's default is 3."""

SESSION_BYTES = 107 - len("/session_2026-01-31_12-30-59_123456_4194304/sockets/dash_TaskEventsHead")
"""What a socket's path leaves for the folder that holds Ray's session."""

OBJECT_STORE_BYTES = 200_000_000  # stages exchange keys of the store, hardly any objects


@dataclass(frozen=True)
class RayHead:
    """A running head.

    Attributes:
        pid: of `ray start --block`, which ends when any part of Ray does.
        began: when it began, in clock ticks.
        host: its address.
        port: of Ray's own protocol.
        dashboard_port: of dashboard and job submission.
        token_file: the secret of the cluster, readable by its owner.
        scratch: a folder of this user alone, with Ray's session in it: sockets, logs, working folders of jobs.
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
        """For RAY_ADDRESS."""
        return f"{self.host}:{self.port}"

    @property
    def dashboard(self) -> str:
        """For RAY_API_SERVER_ADDRESS, and for a browser."""
        return f"http://{self.host}:{self.dashboard_port}"

    def environment(self) -> dict[str, str]:
        """The variables by which drivers and `ray job` find the head and are let in."""
        found = {
            "RAY_ADDRESS": self.address,
            "RAY_API_SERVER_ADDRESS": self.dashboard,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": self.token_file,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        return found | ({"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"} if self.host == LOOPBACK else {})

    def healthy(self) -> bool:
        """Whether it answers to its token."""
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
    """Start a head and wait until it takes jobs; one that runs already in the folder is returned as it is.

    Args:
        folder: where token, log and `head.json` go.
        surroundings: variables that every job inherits: addresses, and the keys of the store. They are in the
            memory of Ray's processes and in no job's description.
        host: where it listens. Off loopback, Ray's own protocol listens on all interfaces, behind the token.
        port: of Ray's own protocol.
        dashboard_port: of dashboard and job submission.
        cpus: that Ray may hand out; None: all.
        gpus: likewise.
        patience_s: the longest wait, in seconds.

    Raises:
        TunerError: it ended or was not healthy in time; its log's last lines are in the message.
    """
    if (found := running(folder)) is not None:
        return found
    stop(folder)  # what one that was killed has left
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = folder / "token"
    if not token.exists():
        write_private(token, secrets.token_hex(32))
    root, _ = choose_root(SESSION_BYTES, "RAY_TMPDIR")
    scratch = tempfile.mkdtemp(prefix="qpmr-", dir=root)  # private to this user; Ray opens its own folder to everybody
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"]
    command += [f"--node-ip-address={host}", f"--port={port}", f"--temp-dir={scratch}/r"]
    command += [f"--dashboard-host={host}", f"--dashboard-port={dashboard_port}"]
    command += [f"--ray-client-server-port={free_port()}", f"--dashboard-agent-listen-port={free_port()}"]
    command += [f"--object-store-memory={OBJECT_STORE_BYTES}", "--log-style=record", "--log-color=false"]
    command += [f"--num-cpus={cpus}"] if cpus is not None else []
    command += [f"--num-gpus={gpus}"] if gpus is not None else []
    head = RayHead(0, 0, host, port, dashboard_port, str(token), scratch, digest(surroundings))
    environment = {**os.environ, **surroundings, **head.environment(), **_for_jobs()}
    del environment["RAY_ADDRESS"]  # Ray tells each job, and a head must not think of joining another
    environment.pop("MLFLOW_BACKEND_STORE_URI", None)  # the database's password is the server's business
    log = folder / "head.log"
    process = spawn(command, log, environment)
    head = RayHead(**{**asdict(head), **asdict(process)})
    write_private(folder / "head.json", json.dumps(asdict(head)))
    if not wait_until(head.healthy, process, patience_s):
        stop(folder)
        raise not_healthy(f"the Ray head on port {port}", head.dashboard, log, patience_s)
    return head


def running(folder: Path) -> RayHead | None:
    """The head that runs in the folder, or None."""
    try:
        head = RayHead(**json.loads((folder / "head.json").read_text()))
    except FileNotFoundError:
        return None
    return head if Process(head.pid, head.began).alive else None


def stop(folder: Path, *, patience_s: float = STOP_PATIENCE_S) -> bool:
    """Stop the folder's head with all it runs, and remove Ray's session folder; returns whether one was running.

    Never `ray stop`: it ends every Ray of the machine, whoever started it.
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
    """A name for an environment that tells nothing of the secrets in it."""
    return hashlib.sha256(json.dumps(sorted(surroundings.items())).encode()).hexdigest()


def _for_jobs() -> dict[str, str]:
    """What jobs need besides: `python` is this one, and time to end in order."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_JOB_S),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
