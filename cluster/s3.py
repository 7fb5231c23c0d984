"""An S3 server for one machine: SeaweedFS on loopback, for tests and for `cluster.up`.

One folder contains its files: `data/`, `server.log`, and `server.json` with address, process and credentials.
"""

import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tuner.errors import TunerError, UsageError

HOST = "127.0.0.1"
_START_S = 60.0
_STOP_S = 3.0  # volumes close within milliseconds; its connections to itself delay the exit
_PORTS = range(10240, 22000)  # below the ephemeral ports, even after SeaweedFS adds 10000
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Args:
        pid: its process id.
        ports: S3, master, volume and filer; each also uses the port 10000 above it.
        access_key: key of a user who may read, write, list and delete objects, but not create buckets.
        secret_key: secret of the same user.
        host: address on which S3 listens; the internal ports, which need no key, stay on loopback.
    """

    pid: int
    ports: tuple[int, int, int, int]
    access_key: str
    secret_key: str = field(repr=False)
    host: str = HOST

    @property
    def endpoint(self) -> str:
        """The value for `AWS_ENDPOINT_URL`."""
        return f"http://{self.host}:{self.ports[0]}"

    def environment(self) -> dict[str, str]:
        """The environment variables with which S3 clients find the server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
        }


def start(folder: Path, bucket: str, port: int = 0, host: str = HOST) -> S3Server:
    """Start a folder's server and wait until it stores an object; if it is already running, return it.

    Args:
        folder: its data, which persist between starts.
        bucket: created if it does not exist.
        port: port of S3; 0: the previous port if it is free, otherwise any free one.
        host: address on which S3 listens.

    Raises:
        UsageError: SeaweedFS is not installed, or the port is taken.
        TunerError: the server ended or did not become healthy in time.
    """
    running = find(folder)
    if running is not None:
        return running
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    last = _load(folder)
    access_key, secret_key = (
        (last.access_key, last.secret_key) if last else (secrets.token_hex(10), secrets.token_hex(20))
    )
    admin = secrets.token_hex(10), secrets.token_hex(20)
    _write_private(folder / "identities.json", _identities(admin, (access_key, secret_key)))
    ports = _choose_ports(port, last)
    process = _spawn(folder, ports, host)
    server = S3Server(process.pid, ports, access_key, secret_key, host)
    _write_private(folder / "server.json", json.dumps(asdict(server)))
    try:
        _wait_until_healthy(process, server, admin, bucket, folder / "server.log")
    except BaseException:
        stop(folder)
        raise
    return server


def find(folder: Path) -> S3Server | None:
    """The folder's running server, or None."""
    server = _load(folder)
    return server if server and _is_running(server, folder) else None


def stop(folder: Path) -> None:
    """Stop the folder's server, if running, and wait until it has ended."""
    server = find(folder)
    if server is None:
        _forget_dead()
        return
    for sent in (signal.SIGTERM, signal.SIGKILL):
        os.kill(server.pid, sent)
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline:
            child = _children.get(server.pid)
            if child.poll() is not None if child else not _is_running(server, folder):
                _children.pop(server.pid, None)
                return
            time.sleep(0.05)
    raise TunerError(
        f"the S3 server {server.pid} does not end",
        f"it to end within {2 * _STOP_S:g} s",
        f"see {folder}/server.log",
    )


def _spawn(folder: Path, ports: tuple[int, int, int, int], host: str) -> subprocess.Popen[bytes]:
    beside = Path(sys.executable).with_name("weed")
    program = str(beside) if beside.exists() else shutil.which("weed")
    if program is None:
        raise UsageError(
            "the program weed was not found",
            "SeaweedFS on the PATH",
            "install it: sh requirements/install.sh python full",
        )
    s3, master, volume, filer = ports
    (logs := folder / "logs").mkdir(exist_ok=True)
    options = [f"-ip={HOST}", f"-ip.bind={HOST}", _data_option(folder), "-master.volumeSizeLimitMB=256"]
    options += ["-s3", f"-s3.ip.bind={host}", f"-s3.port={s3}", f"-s3.config={folder / 'identities.json'}"]
    options += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    options += [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
    options += ["-volume.preStopSeconds=0"]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [program, f"-logdir={logs}", "server", *options],  # by default in /tmp under predictable names
            cwd=folder,
            env={**os.environ, "GOMEMLIMIT": "512MiB"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[process.pid] = process
    return process


def _forget_dead() -> None:
    """Reap child servers that were killed from outside."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]


def _wait_until_healthy(
    process: subprocess.Popen[bytes], server: S3Server, admin: tuple[str, str], bucket: str, log: Path
) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=admin[0],
        aws_secret_access_key=admin[1],
        region_name="us-east-1",
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=2,
            read_timeout=10,
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
        ),
    )
    deadline = time.monotonic() + _START_S
    trouble = ""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.put_object(Bucket=bucket, Key=".healthy", Body=b"")  # SeaweedFS makes an admin's bucket
            client.get_object(Bucket=bucket, Key=".healthy")
            return
        except (BotoCoreError, ClientError) as error:
            trouble = type(error).__name__
            time.sleep(0.1)
    ended = f"ended with {process.returncode}" if process.returncode is not None else f"is not healthy: {trouble}"
    tail = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise TunerError(f"the S3 server {ended}: {tail}", f"an answer within {_START_S:g} s", f"see {log}")


def _choose_ports(port: int, last: S3Server | None) -> tuple[int, int, int, int]:
    if last and port in (0, last.ports[0]) and all(map(_is_free, last.ports)):
        return last.ports
    if port and not _is_free(port):
        what = f"port {port} or {port + 10000} is taken, or another user has a socket for it in /tmp"
        raise UsageError(what, "two free ports", "name another port")
    free: list[int] = [port] if port else []
    while len(free) < 4:
        candidate = random.choice(_PORTS)
        if candidate not in free and _is_free(candidate):
            free.append(candidate)
    return free[0], free[1], free[2], free[3]


def _is_free(port: int) -> bool:
    for number in (port, port + 10000):
        if any(path.lstat().st_uid != os.getuid() for path in Path("/tmp").glob(f"seaweedfs-*-{number}.sock")):
            return False  # SeaweedFS would connect to another user's process there
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, number))
            except OSError:
                return False
    return True


def _is_running(server: S3Server, folder: Path) -> bool:
    """Whether the process exists and still is this server: process ids are reused."""
    try:
        command = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    except OSError:
        return False
    return _data_option(folder).encode() in command.split(b"\0")


def _data_option(folder: Path) -> str:
    return f"-dir={(folder / 'data').resolve()}"


def _identities(admin: tuple[str, str], user: tuple[str, str]) -> str:
    def identity(name: str, keys: tuple[str, str], actions: list[str]) -> dict[str, object]:
        credentials = [{"accessKey": keys[0], "secretKey": keys[1]}]
        return {"name": name, "credentials": credentials, "actions": actions}

    everything = identity("admin", admin, ["Admin"])
    return json.dumps({"identities": [everything, identity("tuner", user, ["Read", "Write", "List", "Tagging"])]})


def _load(folder: Path) -> S3Server | None:
    try:
        fields = json.loads((folder / "server.json").read_text())
    except FileNotFoundError:
        return None
    s3, master, volume, filer = fields.pop("ports")
    return S3Server(ports=(s3, master, volume, filer), **fields)


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
