"""The mirror's own process: shows what the driver says, dies with it, and its death costs a warning."""

import subprocess
import sys
import time

import mlflow
import psutil
import pytest

from tests.tracking.ledgers import look, search_start, trial_events
from tuner.search.watch.mirror_process import NICENESS, MirrorProcess
from tuner.store import open_store
from tuner.tracking.dataset import DatasetInfo
from tuner.tracking.view import runs_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TOLD: list[str] = []  # where to view the search
PATIENCE_S = 120  # MLflow takes seconds to import, several times as long on a busy machine


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def mirror(tmp_path, uri):
    found = MirrorProcess(uri, "birds", open_store(str(tmp_path / "runs")), DatasetInfo("birds", "bank"), TOLD.append)
    yield found
    found.abandon()


def test_shows_what_it_is_told_at_low_priority(mirror, uri, tmp_path):
    TOLD.clear()
    mirror.replay([search_start(), trial_events(0, 1001.0)[0]])
    deadline = time.monotonic() + PATIENCE_S
    while not TOLD and time.monotonic() < deadline:  # long before the end
        time.sleep(0.05)
    assert [mirror.url] == TOLD
    assert runs_page("1") in mirror.url
    picture = tmp_path / "front.svg"
    picture.write_text("<svg/>")
    mirror.front({0: 1}, [(time.time(), 0.5)], [picture])
    deadline = time.monotonic() + PATIENCE_S
    while psutil.Process(mirror._process.pid).nice() != NICENESS and time.monotonic() < deadline:
        time.sleep(0.05)
    assert psutil.Process(mirror._process.pid).nice() == NICENESS
    mirror.close(PATIENCE_S)
    assert mirror.warning is None
    assert uri.removeprefix("sqlite:///") in mirror.url
    runs = look(uri, "birds")
    assert sorted(runs) == ["search", "trial-0000"]
    assert runs["search"].data.metrics["hypervolume"] == 0.5
    assert runs["trial-0000"].inputs.dataset_inputs[0].dataset.name == "birds"
    files = mlflow.MlflowClient(uri).list_artifacts(runs["search"].info.run_id)
    assert [file.path for file in files] == ["front.csv", "front.svg"]


def test_its_death_is_a_warning(mirror):
    mirror.publish(search_start())
    mirror._process.kill()
    mirror._process.wait()
    mirror.publish(trial_events(0, 1001.0)[0])
    mirror.close(10)
    assert "the process that fills MLflow ended" in mirror.warning


def test_closed_twice_is_closed(mirror):
    mirror.publish(search_start())
    mirror.close(PATIENCE_S)
    mirror.close(PATIENCE_S)
    mirror.abandon()
    assert mirror.warning is None


DRIVER = """
import sys, time
from tuner.search.watch.mirror_process import MirrorProcess
from tuner.store import open_store
print(MirrorProcess(sys.argv[1], "birds", open_store(sys.argv[2]))._process.pid, flush=True)
time.sleep(600)
"""


def test_it_dies_with_its_driver(tmp_path, uri):
    words = [sys.executable, "-c", DRIVER, uri, str(tmp_path / "runs")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as driver:
        pid = int(driver.stdout.readline())
        assert psutil.pid_exists(pid)
        driver.kill()
        driver.wait()
        deadline = time.monotonic() + PATIENCE_S
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.1)
