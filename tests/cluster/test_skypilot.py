"""The task for SkyPilot: of the form that SkyPilot 0.14 takes, and its script does what it says, with Ray played."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FIELDS = {"name", "resources", "num_nodes", "workdir", "envs", "secrets", "setup", "run", "file_mounts", "config"}
RESOURCES = {"infra", "accelerators", "cpus", "memory", "instance_type", "disk_size", "use_spot", "image_id", "any_of"}
ADDRESS = "10.0.0.1:6379"

# Each call leaves a line. A head can be reached once it has been started, and stays until it is ended; a worker stays
# until its head has gone, and then ends with an error, as Ray's does.
RAY = """#!/bin/sh
echo "ray $*" >> "$CALLS"
case "$*" in
  "health-check --address={address}") test -e "$CALLS.up" ;;
  "start --head"*) trap 'echo ended >> "$CALLS"; exit 0' TERM; touch "$CALLS.up"; while :; do sleep 0.1; done ;;
  "start --address={address} --block") exit 1 ;;
  *) exit 64 ;;
esac
"""
PYTHON = """#!/bin/sh
echo "RAY_ADDRESS=$RAY_ADDRESS python $*" >> "$CALLS"
exit 3
"""


def task() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster" / "skypilot.yaml").read_text())


def test_the_task_has_the_form_that_skypilot_takes() -> None:
    told = task()
    assert set(told) <= FIELDS
    assert set(told["resources"]) <= RESOURCES
    assert told["resources"]["infra"].partition("/")[0] in {"aws", "gcp", "azure", "kubernetes", "lambda", "nebius"}
    assert all(value is None or isinstance(value, str) for value in told["envs"].values()), "SkyPilot wants strings"
    assert 0 < float(told["envs"]["QPM_TUNER_GPU_SHARE"]) <= 1
    assert told["secrets"] == {"RAY_AUTH_TOKEN": None}, "asked for at each start, and nowhere written down"
    assert told["envs"]["RAY_AUTH_MODE"] == "token"
    assert "ray stop" not in told["run"], "it would end SkyPilot's own Ray, too"
    lines = (ROOT / "cluster" / "skypilot.yaml").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) <= 22


def play(rank: int, folder: Path) -> tuple[int, list[str]]:
    """The script on one node: its exit code and the calls that it made."""
    programs = folder / "venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in (("ray", RAY.replace("{address}", ADDRESS)), ("python", PYTHON)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    calls = folder / "calls"
    if rank:
        (folder / "calls.up").touch()
    given = {
        "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2",
        "SKYPILOT_NODE_RANK": str(rank),
        "SEARCH": "--recipe folder a=b",
    }
    environment = os.environ | given | {"HOME": str(folder), "CALLS": str(calls)}
    shell = ["bash", "-c", task()["run"]]
    done = subprocess.run(shell, env=environment, cwd=folder, timeout=120, check=False)
    return done.returncode, calls.read_text().splitlines()


@pytest.mark.slow
def test_the_first_node_drives_and_ends_its_ray_with_the_search(tmp_path: Path) -> None:
    code, calls = play(0, tmp_path)
    assert code == 3, "that of the search: SkyPilot starts a failed one again"
    assert "ray start --head --port=6379 --include-dashboard=false --block" in calls
    assert f"RAY_ADDRESS={ADDRESS} python -m jobs.search --recipe folder a=b" in calls
    assert calls[-1] == "ended"


@pytest.mark.slow
def test_the_others_work_until_the_first_has_gone(tmp_path: Path) -> None:
    code, calls = play(1, tmp_path)
    assert code == 0, "the search's exit code is that of the first node"
    assert calls == [f"ray health-check --address={ADDRESS}", f"ray start --address={ADDRESS} --block"]
