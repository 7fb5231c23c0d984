"""The S3 server of one machine: starts healthy, keeps its data and credentials, stops by its own process only."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from cluster import s3
from tuner.errors import TunerError, UsageError
from tuner.store import open_store

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_data_and_credentials_outlive_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "s3"
    first = s3.start(folder, "runs")
    try:
        assert s3.start(folder, "runs") == first, "a running server is kept"
        for name, value in first.environment().items():
            monkeypatch.setenv(name, value)
        open_store("s3://runs/a").put("x", b"1")
        os.kill(first.pid, signal.SIGKILL)
        s3.stop(folder)
        second = s3.start(folder, "runs")
        assert second.pid != first.pid
        assert second.access_key == first.access_key
        monkeypatch.setenv("AWS_ENDPOINT_URL", second.endpoint)
        assert open_store("s3://runs/a").get("x") == b"1"
    finally:
        s3.stop(folder)
    assert s3.find(folder) is None


def test_it_listens_on_loopback_only_and_keeps_secrets_private(tmp_path: Path) -> None:
    folder = tmp_path / "s3"
    server = s3.start(folder, "runs")
    try:
        assert server.secret_key not in repr(server)
        assert server.secret_key not in Path(f"/proc/{server.pid}/cmdline").read_text()
        assert {path.stat().st_mode & 0o777 for path in folder.glob("*.json")} == {0o600}
        listening = _listening(server.pid)
        assert server.ports[0] in {port for _, port in listening}
        assert {host for host, _ in listening} == {"0100007F"}
    finally:
        s3.stop(folder)


def _listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of each TCP socket that a process listens on, the address as the kernel writes it."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(link.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                host, _, port = fields[1].partition(":")
                found.add((host, int(port, 16)))
    return found


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((s3.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)):
            s3.start(tmp_path, "runs", port=port)
    assert s3.find(tmp_path) is None


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data" / "filerldb2").parent.mkdir()
    (tmp_path / "data" / "filerldb2").write_text("in the way")
    with pytest.raises(TunerError, match="ended with"):
        s3.start(tmp_path, "runs")
    assert s3.find(tmp_path) is None


def test_a_stranger_with_its_number_is_left_alone(tmp_path: Path) -> None:
    fields = {"pid": os.getpid(), "ports": [1, 2, 3, 4], "access_key": "a", "secret_key": "s"}
    (tmp_path / "server.json").write_text(json.dumps(fields))
    assert s3.find(tmp_path) is None
    s3.stop(tmp_path)


def test_a_socket_that_another_user_has_prepared_is_not_spoken_to(tmp_path: Path) -> None:
    """SeaweedFS talks to itself by sockets in /tmp whose names follow from its ports."""
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another user")
    port = next(number for number in range(10240, 11000) if s3._is_free(number))
    prepared = Path(f"/tmp/seaweedfs-filer-grpc-{port + 10000}.sock")
    prepared.touch()
    try:
        assert s3._is_free(port), "one of ours is replaced"
        os.chown(prepared, 65534, 65534)
        assert not s3._is_free(port)
        with pytest.raises(UsageError, match="another user has a socket"):
            s3.start(tmp_path / "s3", "bucket", port)
    finally:
        prepared.unlink()
