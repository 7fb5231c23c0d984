"""The parts of a service: ports that are refused with a way out, processes told apart, files that stay private."""

import socket
import sys
from pathlib import Path

import pytest

from cluster import down, status, up
from cluster.services import LOOPBACK, Process, free_port, require_port, spawn, wait_until
from cluster.settings import ClusterSettings
from tuner.base.files import write_private
from tuner.errors import UsageError


def test_a_taken_port_is_named_with_its_option() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of {LOOPBACK} is taken") as caught:
            require_port(LOOPBACK, port, "--mlflow-port")
    assert "--mlflow-port" in caught.value.todo
    require_port(LOOPBACK, port, "--mlflow-port")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--host 203\.0\.113\.1"):
        require_port("203.0.113.1", free_port(), "--ray-port")


def test_up_stops_at_a_taken_port_before_it_starts_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["--folder", str(tmp_path), "--without", "s3", "ray", "--mlflow-port", str(port)]
        assert up.main(arguments) == 2
    assert f"port {port}" in capsys.readouterr().err
    assert {service.state for service in status.survey(tmp_path)} == {"off"}


@pytest.mark.parametrize(("name", "value"), [("ray_port", 80), ("s3_port", 60000), ("cpus", -1)])
def test_a_setting_out_of_bounds_is_refused(name: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} {value}"):
        ClusterSettings(**{name: value})  # type: ignore[arg-type]


def test_a_group_ends_whole_even_if_it_will_not(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; sleep 100 & echo started; wait; sleep 100"
    process = spawn(["sh", "-c", stubborn], tmp_path / "log", {"PATH": "/usr/bin:/bin"})
    assert wait_until(lambda: "started" in (tmp_path / "log").read_text(), process, 10)
    process.end(patience_s=0.2)
    assert not process.alive
    assert not [stat for stat in Path("/proc").glob("[0-9]*/stat") if group(stat) == process.pid]


def group(stat: Path) -> int | None:
    try:
        state, _, found, *_ = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(found)


def test_a_later_process_of_the_same_id_is_not_taken_for_it(tmp_path: Path) -> None:
    process = spawn([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", {})
    try:
        stranger = Process(process.pid, process.began - 1)
        assert not stranger.alive
    finally:
        process.end(patience_s=1)


def test_a_private_file_is_private_also_when_written_again(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("for all to see")
    path.chmod(0o644)
    write_private(path, "secret")
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600


def test_down_and_status_where_nothing_was_started(tmp_path: Path) -> None:
    assert down.main(["--folder", str(tmp_path / "nothing")]) == 0
    assert not (tmp_path / "nothing").exists()
    assert status.main(["--folder", str(tmp_path / "nothing")]) == 1


@pytest.mark.parametrize("command", [up, down, status])
def test_help_shows_examples(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])  # type: ignore[attr-defined]
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722])
def test_a_folder_into_which_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Its env.sh is run by the shell of whoever sources it."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab").chmod(mode)
    assert up.main(["--folder", str(tmp_path / "lab"), "--without", "s3", "mlflow", "ray"]) == 2
    (tmp_path / "lab").chmod(0o755)
    assert up.main(["--folder", str(tmp_path / "lab"), "--without", "s3", "mlflow", "ray"]) == 0
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "lab").iterdir() if path.name != ".lock"} == {0}
