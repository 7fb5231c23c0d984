"""A command that only looks speaks at once: what it need not import it does not import."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import jobs
from tests.ledgers import finished, home_with

ROOT = Path(jobs.__file__).parents[1]
HEAVY = {"ray", "torch", "optuna", "mlflow", "pandas", "sklearn", "pyarrow", "plotly", "boto3", "pyscipopt", "scipy"}
CPU_S = 1.5  # 0.2 to 0.35 s on the machine it was written on; ray.tune alone takes 1.5 s there

LOADED = """
import atexit, sys
atexit.register(lambda: print(*sorted({name.partition(".")[0] for name in sys.modules}), file=open(sys.argv[-1], "w")))
given, sys.argv = sys.argv, ["qpm-tuner", *sys.argv[1:-1]]
atexit.register(lambda: setattr(sys, "argv", given))
import jobs
sys.exit(jobs.main())
"""


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    root, bank = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("bank")
    (bank / "file").write_text("")
    home = home_with(root, finished())
    home.artifacts.publish("banks", "bank", bank, {"n_images": 1797, "n_classes": 10, "dim": 64, "grid": [4, 4]})
    return ["--store", str(root), "--name", "made-up"]


COMMANDS = {
    "help": ["--help"],
    "version": ["--version"],
    "fields": ["search", "--help-recipe"],
    **{f"help-{name}": [name, "--help"] for name in jobs.NAMES},
    "status": ["status"],
    "front": ["front"],
    "pick": ["pick", "--knee"],
    "list": ["list"],
    "plan": ["search", "--dry-run"],
}
NAMED = [COMMANDS[name] for name in ("status", "front", "pick", "plan")]


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_nothing_heavy_is_imported_and_little_time_is_taken(words, search, tmp_path):
    loaded = tmp_path / "loaded"
    named = search if words in NAMED else search[:2] if words == ["list"] else []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words, *named, str(loaded)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not HEAVY & set(loaded.read_text().split())
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < CPU_S
