"""Every benchmark is told of in `benchmarks/README.md`, explains itself, and runs: users read figures of it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
MODULES = sorted(file.stem for file in FOLDER.glob("*.py") if '__name__ == "__main__"' in file.read_text())
NO_COMMANDS = ("rehearsal_driver",)  # started by another one, with arguments of its own
ROW = re.compile(r"^\| (?P<question>[^|]+) \| `(?P<command>[^`]+)` \| (?P<smallest>.+) \|$", re.MULTILINE)
ROWS = [(row["command"], row["smallest"]) for row in ROW.finditer((FOLDER / "README.md").read_text())]
SMALLEST = [told.strip("`") for _, told in ROWS if told.startswith("`")]

HELP = """
import importlib, sys
for name in sys.argv[1:]:
    sys.argv = [name, "--help"]
    try:
        importlib.import_module("benchmarks." + name).main()
    except SystemExit as ended:
        assert ended.code in (0, None), f"{name} --help: exit code {ended.code}"
    else:
        raise AssertionError(f"{name} --help ran the benchmark")
"""


def test_the_readme_tells_of_every_benchmark_and_of_no_other():
    assert sorted({command.split()[0] for command, _ in ROWS}) == [m for m in MODULES if m not in NO_COMMANDS]


@pytest.mark.slow
@pytest.mark.timeout(600)  # of a busy machine
def test_every_benchmark_can_be_imported_and_explains_itself(tmp_path):
    """All in one process: most of its seconds are PyTorch, Ray and MLflow."""
    names = [name for name in MODULES if name not in NO_COMMANDS]
    done = run([sys.executable, "-c", HELP, *names], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("usage: ") == len(names)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.cluster
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("words", SMALLEST, ids=[words.split()[0] for words in SMALLEST])
def test_its_smallest_setting_runs_and_touches_no_committed_figure(words, tmp_path):
    name, *arguments = shlex.split(words)
    before = {file: file.read_bytes() for file in (FOLDER / "results").iterdir()}
    done = run([sys.executable, "-m", f"benchmarks.{name}", *arguments], tmp_path)
    allowed = (0, 1) if name == "load" else (0,)  # 1: memory grows, which four trials cannot tell
    assert done.returncode in allowed, done.stdout[-1000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    assert {file: file.read_bytes() for file in (FOLDER / "results").iterdir()} == before


@pytest.mark.long
@pytest.mark.cluster
@pytest.mark.timeout(1800)
def test_dominance_runs_on_a_search(tmp_path):
    store = ["--store", str(tmp_path / "runs"), "--name", "tiny"]
    tiny = ["--trials", "2", "dense.epochs=1", "finetune.epochs=1", "confirm.share=0", "tracking.enabled=false"]
    assert run([sys.executable, "-m", "jobs.search", "--recipe", "digits", *store, *tiny], tmp_path).returncode == 0
    done = run([sys.executable, "-m", "benchmarks.dominance", *store, "--seeds", "2"], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "members dominate the default setting" in done.stdout


def run(command, results):
    environment = {**os.environ, "BENCHMARK_RESULTS": str(results), "QPM_TUNER_CACHE": str(results / "cache")}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
