"""The mirror against a real server that dies, comes back, hangs or was never there."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import mlflow
from tests.tracking.ledgers import history, ledger, look
from tuner.tracking import Mirror

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

Make = Callable[..., Mirror]
AT_ONCE_S = 5.0  # on a busy machine; whoever waits for MLflow waits for 10 s at least


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a server runs, for all tests of this file; it may die and be started again."""
    path = tmp_path_factory.mktemp("server")
    yield path
    mlflow.stop(path)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


@pytest.mark.cluster
@pytest.mark.timeout(400)
def test_a_search_and_its_model_are_shown_by_a_server(folder: Path, make_mirror: Make, tmp_path: Path) -> None:
    server = mlflow.start(folder)
    (tmp_path / "finetune0").mkdir()
    (tmp_path / "finetune0" / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "report.html").write_text("<p>report</p>")
    for _ in range(2):
        mirror = make_mirror(server.url, "served")
        mirror.replay(ledger(3))
        mirror.front({0: 1, 1: 2, 2: 1}, [(1002.0, 0.25), (1003.0, 0.5)], [tmp_path / "report.html"])
        address = mirror.register(tmp_path / "finetune0", "served", 0, "picked", "It is the knee.")
        assert address == "models:/served/1"
        mirror.close(60.0)
        assert mirror.warning is None
        assert mirror.url.startswith(f"{server.url}/#/experiments/")
    runs = look(server.url, "served")
    assert len(runs) == 4
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs["trial-0000"].data.tags["pareto"] == "true"
    assert len(history(server.url, runs["trial-0002"].info.run_id, "dense/loss")) == 3
    assert len(history(server.url, runs["search"].info.run_id, "hypervolume")) == 2


@pytest.mark.cluster
@pytest.mark.timeout(400)
@pytest.mark.chaos
@pytest.mark.slow
def test_a_server_killed_midway_shows_everything_in_the_end(folder: Path, make_mirror: Make) -> None:
    server = mlflow.start(folder)
    warnings: list[str] = []
    mirror = make_mirror(server.url, "killed", on_warning=warnings.append)
    events = ledger(30)
    mirror.replay(events[:100])
    until(lambda: "trial-0005" in look(server.url, "killed"))
    os.killpg(server.pid, signal.SIGKILL)
    until(lambda: mlflow.running(folder) is None)
    began = time.monotonic()
    for event in events[100:]:
        mirror.publish(event)
    assert time.monotonic() - began < AT_ONCE_S
    until(lambda: warnings)
    port = int(server.url.rpartition(":")[2])
    mlflow.start(folder, port=port)
    until(lambda: mirror.warning is None)
    mirror.close(60.0)
    assert len(warnings) == 1
    runs = look(server.url, "killed")
    assert len(runs) == 31
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for run in (run for name, run in runs.items() if name != "search"):
        assert len(history(server.url, run.info.run_id, "finetune/loss")) == 3
        assert len(history(server.url, run.info.run_id, "accuracy")) == 1


@pytest.mark.cluster
@pytest.mark.timeout(400)
@pytest.mark.slow
def test_two_hundred_trials_are_replayed_in_seconds(
    folder: Path, make_mirror: Make, record_property: Callable[[str, object], None]
) -> None:
    server = mlflow.start(folder)
    events, took_s = ledger(200), {}
    for name in ("first", "again"):
        mirror = make_mirror(server.url, "large")
        began = time.monotonic()
        mirror.replay(events)
        returned_s = time.monotonic() - began
        mirror.close(300.0)
        took_s[name] = time.monotonic() - began
        record_property(f"{name}_s", round(took_s[name], 2))
        print(
            f"{name} replay of 200 trials ({len(events)} events): {returned_s:.3f} s, level after {took_s[name]:.2f} s"
        )
        assert mirror.warning is None
        assert returned_s < AT_ONCE_S
    assert took_s["again"] < took_s["first"] / 2, "a level mirror has nothing to do"
    assert len(look(server.url, "large")) == 201


def test_a_server_that_was_never_there_costs_one_warning(make_mirror: Make) -> None:
    warnings: list[str] = []
    uri = f"http://someone:s3cret@127.0.0.1:{closed_port()}"
    mirror = make_mirror(uri, on_warning=warnings.append)
    began = time.monotonic()
    for event in ledger(200):
        mirror.publish(event)
    assert time.monotonic() - began < AT_ONCE_S
    until(lambda: warnings)
    mirror.publish({"event": "something", "time_s": 1.0})
    began = time.monotonic()
    mirror.close(60.0)
    assert time.monotonic() - began < 30.0, "it waited for a server that is not there"
    assert len(warnings) == 1
    assert mirror.warning == warnings[0]
    for text in (*warnings, mirror.url):
        assert "127.0.0.1" in text
        assert "s3cret" not in text


def test_a_server_that_never_answers_holds_nobody_up(make_mirror: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = make_mirror(f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        mirror.replay(ledger(20))
        assert time.monotonic() - began < AT_ONCE_S
        began = time.monotonic()
        mirror.close(1.0)
        assert time.monotonic() - began < AT_ONCE_S
        assert mirror.warning is not None
