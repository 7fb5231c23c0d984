"""One machine as a cluster: up, up again, status and down are real commands on a real Ray head, MLflow and S3."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import down, head, status, up
from cluster.services import LOOPBACK, answers, free_port

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]


def ports() -> list[str]:
    names = ("--ray-port", "--dashboard-port", "--mlflow-port")
    return [word for name in names for word in (name, str(free_port()))] + ["--s3-port", str(free_s3_port())]


def free_s3_port() -> int:
    """One whose neighbour 10000 above is free as well."""
    while True:
        port = 10240 + int.from_bytes(os.urandom(2)) % 11000
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind((LOOPBACK, port))
                second.bind((LOOPBACK, port + 10000))
            except OSError:
                continue
            return port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("lab") / "state"
    yield folder
    down.main(["--folder", str(folder)])


@pytest.fixture(scope="module")
def started(folder: Path) -> str:
    """What `cluster.up` printed, in a process of its own that has ended."""
    command = [sys.executable, "-m", "cluster.up", "--folder", str(folder), "--cpus", "2", "--gpus", "0", *ports()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def listening(sessions: set[int]) -> set[str]:
    """Local addresses on which processes of these sessions listen, as the kernel writes them."""
    owned = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(process.name)) in sessions:
                owned |= {str(link.readlink()) for link in (process / "fd").iterdir()}
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended, or closed the file, meanwhile
    lines = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {fields[1].partition(":")[0] for fields in lines if fields[3] == "0A" and f"socket:[{fields[9]}]" in owned}


def test_all_three_are_healthy_and_the_screen_shows_no_secret(started: str, folder: Path) -> None:
    assert {service.state for service in status.survey(folder)} == {"healthy"}
    assert "ray job submit --working-dir . --" in started
    s3_secret = json.loads((folder / "s3" / "server.json").read_text())["secret_key"]
    token = (folder / "ray" / "token").read_text()
    for secret in (s3_secret, token):
        assert secret not in started
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        assert token not in line
        assert s3_secret not in line


def test_secrets_are_readable_by_their_owner_only(started: str, folder: Path) -> None:
    assert folder.stat().st_mode & 0o077 == 0
    for name in ("env.sh", "ray/token", "ray/head.json", "s3/server.json"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600, name
    found = head.running(folder / "ray")
    assert found is not None
    assert Path(found.scratch).stat().st_mode & 0o777 == 0o700, "Ray opens its session to everybody"
    assert list(Path(found.scratch).glob("r/session_2*"))


def test_everything_listens_on_loopback_only(started: str, folder: Path) -> None:
    hosts = listening({service.pid for service in status.survey(folder) if service.pid})
    assert hosts <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert hosts


def test_ray_asks_for_its_token(started: str, folder: Path) -> None:
    found = head.running(folder / "ray")
    assert found is not None
    url = f"{found.dashboard}/api/jobs/"
    assert answers(url) == 401
    assert answers(url, "0" * 64) == 403
    assert answers(url, Path(found.token_file).read_text()) == 200


@pytest.mark.parametrize("unset", ["", "unset RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER;"])
def test_the_environment_file_works_in_a_shell(unset: str, started: str, folder: Path) -> None:
    """So do address and token alone, where Ray would look for the cluster beyond loopback."""
    script = (
        f". {folder}/env.sh; {unset} ray job list >&2; {sys.executable} -m jobs.doctor --store s3://qpm/runs --json"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    result = subprocess.run(
        ["sh", "-c", script],
        env={"PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert {"store", "clock", "MLflow", "Ray"} <= set(checks)


def test_up_again_keeps_what_runs(started: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = status.survey(folder)
    assert up.main(["--folder", str(folder)]) == 0
    assert status.survey(folder) == before
    assert "starting" not in capsys.readouterr().out


def test_a_head_with_other_surroundings_is_not_passed_off_as_this_one(started: str, folder: Path) -> None:
    assert up.main(["--folder", str(folder), "--without", "s3"]) == 1


def test_status_in_json_and_a_dead_service_is_told(
    started: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status.main(["--folder", str(folder), "--json"]) == 0
    assert [service["name"] for service in json.loads(capsys.readouterr().out)] == ["S3", "MLflow", "Ray"]


def test_down_ends_every_process_and_only_these(started: str, folder: Path) -> None:
    pids = {service.pid for service in status.survey(folder)}
    found = head.running(folder / "ray")
    assert found is not None
    assert down.main(["--folder", str(folder)]) == 0
    assert {service.state for service in status.survey(folder)} == {"off"}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group, *_ = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        assert state == "Z" or int(group) not in pids
    assert Path(found.scratch).name.startswith("qpmr-")
    assert not Path(found.scratch).exists()
    assert not (folder / "env.sh").exists()
    assert (folder / "s3" / "data").is_dir(), "data stay"
    assert down.main(["--folder", str(folder)]) == 0
