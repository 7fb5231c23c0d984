"""`ray job submit` on a real head with a token: what is shipped, what the log shows, and that a stop loses nothing."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import head
from cluster.services import free_port
from tests.searches import TINY
from tuner.search.record.home import open_home
from tuner.store import open_store

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
ONE_LONG_TRIAL = ("budget.trials=1", "budget.parallel=1", "dense.epochs=400")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a shell needs to submit to a head that runs for this module."""
    folder = tmp_path_factory.mktemp("head")
    kept = {"QPM_TUNER_CACHE": str(folder / "cache"), "QPM_TEST_KEY": "handed-down"}
    found = head.start(folder, kept, port=free_port(), dashboard_port=free_port(), cpus=2, gpus=0)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    yield {**os.environ, **found.environment(), "PATH": path}
    assert head.stop(folder)


def ray_job(environment: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "ray.scripts.scripts", "job", *words]
    result = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    return result.stdout + result.stderr


def test_a_job_is_shipped_the_code_alone_and_inherits_the_heads_environment(environment: dict[str, str]) -> None:
    shown = ray_job(environment, "submit", "--working-dir", ".", "--", "sh", "-c", "ls -A; env")
    assert "succeeded" in shown, shown
    lines = set(shown.splitlines())
    assert {"jobs", "tuner", "pyproject.toml"} <= lines
    assert not {".git", ".venv", "runs", "tests", "docs", "qpm_tuner.egg-info"} & lines
    assert "QPM_TEST_KEY=handed-down" in lines, "addresses and keys of the store come with the head"
    token = Path(environment["RAY_AUTH_TOKEN_PATH"]).read_text()
    assert token not in shown


def test_a_stopped_job_says_so_and_the_same_command_carries_on(environment: dict[str, str], tmp_path: Path) -> None:
    search = ["python", "-m", "jobs.search", "--store", str(tmp_path / "runs"), "--name", "stopped"]
    recipe = ["--recipe", "digits", *(line for line in TINY if "dense.epochs" not in line), *ONE_LONG_TRIAL]
    ray_job(
        environment, "submit", "--no-wait", "--submission-id", "first", "--working-dir", ".", "--", *search, *recipe
    )
    shown = wait_for_line(environment, "first", "trial 0 dense")
    assert "0/1 trials" in shown
    assert "0 on the front" in shown
    ray_job(environment, "stop", "first")
    assert "was stopped" in ray_job(environment, "status", "first")
    shown = ray_job(environment, "logs", "first")
    assert "the same command carries on" in shown, shown
    home = open_home(open_store(str(tmp_path / "runs")), "stopped")
    assert [trial.number for trial in home.state().open()] == [0]

    shown = ray_job(environment, "submit", "--working-dir", ".", "--", *search)
    assert "succeeded" in shown, shown
    assert home.state().counts() == {"complete": 1}


def wait_for_line(environment: dict[str, str], job: str, text: str, patience_s: float = 240.0) -> str:
    deadline = time.monotonic() + patience_s
    while text not in (shown := ray_job(environment, "logs", job)):
        assert time.monotonic() < deadline, shown
        time.sleep(2)
    return shown
