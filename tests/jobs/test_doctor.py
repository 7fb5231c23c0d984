"""The doctor passes what is well, and for everything that can be wrong says what to do and exits with 1."""

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from jobs import doctor
from tuner.doctor.checks import CLOCK_S, Check, disk, examine, stores, tracking, versions
from tuner.search.session.surroundings import OF_A_START
from tuner.store import open_store
from tuner.store.local import LocalStore


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))


def only(checks: list[Check]) -> Check:
    assert len(checks) == 1
    return checks[0]


def test_a_healthy_machine_passes_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", room(10**12))
    checks = list(examine(str(tmp_path / "runs")))
    assert [check.name for check in checks if not check.ok] == []
    names = {check.name for check in checks}
    assert names >= {"GPU", "MLflow", "Ray", "cache", "clock", "conditions", "disk", "store", "versions"}
    assert names >= {name for name, _ in OF_A_START}, "what a search checks before it starts Ray"
    assert list(open_store(str(tmp_path / "runs")).list("")) == [], "probes are removed"


def test_a_missing_and_an_old_library_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["numpy>=99", "no-such-library>=1", "pytest>=99; extra == 'test'", "pyyaml"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: required)
    check = only(list(versions()))
    assert not check.ok
    assert "no-such-library is missing" in check.found
    assert ">=99" in check.found
    assert "pytest" not in check.found
    assert "requirements/install.sh" in check.todo


def test_a_store_that_cannot_be_written_fails_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    failed = [check for check in examine(str(tmp_path / "file" / "runs")) if not check.ok]
    assert "store" in [check.name for check in failed]
    assert all(check.todo for check in failed)


class CarelessStore(LocalStore):
    """A folder that ignores conditions and whose clock is wrong: what some S3 servers do."""

    def put_new(self, key: str, data: bytes) -> bool:
        self.put(key, data)
        return True

    def now(self) -> float:
        return super().now() - CLOCK_S - 5


def test_ignored_conditions_and_a_wrong_clock_fail(tmp_path: Path) -> None:
    checks = {check.name: check for check in stores(CarelessStore(tmp_path))}
    assert checks["store"].ok
    assert not checks["conditions"].ok
    assert not checks["clock"].ok
    assert "65 s off" in checks["clock"].found


def test_a_good_store_passes(tmp_path: Path) -> None:
    assert all(check.ok for check in stores(open_store(str(tmp_path))))


def room(free: int):
    return lambda _: namedtuple("usage", "total used free")(2 * free, free, free)


def test_a_full_disk_and_an_unusable_cache_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", room(10**9))
    assert not any(check.ok for check in disk(str(tmp_path)))
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "file" / "cache"))
    check = only([check for check in examine(str(tmp_path)) if check.name == "cache"])
    assert not check.ok
    assert "QPM_TUNER_CACHE" in check.todo


def test_an_mlflow_that_does_not_answer_fails_without_its_password() -> None:
    port = closed_port()
    found = [
        c for c in examine("/nonexistent-root-only/../tmp", f"http://u:s3cret@127.0.0.1:{port}") if c.name == "MLflow"
    ]
    check = only(found)
    assert not check.ok
    assert "s3cret" not in check.found + check.todo


@pytest.mark.slow
def test_an_mlflow_file_passes(tmp_path: Path) -> None:
    assert only(list(tracking(f"sqlite:///{tmp_path}/mlflow.db"))).ok


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "somewhere"])
def test_an_address_that_is_none_is_refused_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert not ray_of_the_doctor().ok


def test_a_ray_that_does_not_run_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port()}")
    check = ray_of_the_doctor()
    assert not check.ok
    assert "cluster.up" in check.todo


def ray_of_the_doctor() -> Check:
    return only([check for check in examine("/nonexistent-root-only/../tmp") if check.name == "Ray"])


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_command_prints_a_line_each_and_exits_with_1_on_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.disk_usage", room(10**12))
    assert doctor.main(["--store", str(tmp_path)]) == 0
    assert all(line.startswith("pass  ") for line in capsys.readouterr().out.splitlines())
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    assert doctor.main(["--store", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "FAIL  Ray" in told
    assert "to do:" in told


@pytest.mark.slow
def test_json_is_one_document(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jobs.doctor", "--json", "--store", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    document = json.loads(result.stdout)
    assert document["healthy"] == (result.returncode == 0)
    assert {"name", "ok", "found", "todo"} == set(document["checks"][0])
