"""The assignment stage runs where there is neither torch nor a feature bank, on what the dense stage has kept."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tuner.qpm import AssignConfig, DenseFeatures
from tuner.qpm.assignment import Assignment
from tuner.search.execute.plan import StageSpec
from tuner.store import Artifacts, open_store

ALONE = """
import json, sys
from pathlib import Path


class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("there is no torch on this machine")


sys.meta_path.insert(0, NoTorch())
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.worker import run_stage

url, scratch, spec = sys.argv[1:]
ended = run_stage(StageSpec(**json.loads(spec)), url, Path(scratch), 1)
assert ended.outcome == "complete", ended
"""


@pytest.mark.slow
def test_a_program_needs_no_torch_and_no_bank(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(60) % 5
    pooled = np.maximum(draw.normal(size=(5, 20))[labels] + draw.normal(size=(60, 20)), 0).astype(np.float32)
    places = np.zeros((60, 20), np.int32)
    kept = DenseFeatures(pooled, pooled / 9, pooled > 1, places, labels, np.ones(60, dtype=np.bool_), 5)
    kept.save(tmp_path / "dense")
    artifacts = Artifacts(open_store(str(tmp_path / "store")))
    artifacts.publish("stages/dense", "made-before", tmp_path / "dense", {})
    config = AssignConfig(n_features=8, features_per_class=3, variant="paper", gap=0.0)
    inputs = {"bank": "not-there", "dense": "made-before"}
    spec = StageSpec("assign", {"assign": dataclasses.asdict(config), "split": {}}, inputs, 0)
    told = [artifacts.store.url, str(tmp_path / "scratch"), json.dumps(dataclasses.asdict(spec))]
    subprocess.run([sys.executable, "-c", ALONE, *told], check=True)
    found = Assignment.load(artifacts.fetch(spec.kind, spec.key))
    assert found.matrix.shape == (5, 8)
    assert artifacts.find(spec.kind, spec.key).meta["made_with"]["device"] == "cpu"
