"""Fingerprints of one tiny trial's artifacts, kept by code version: a result that changes must raise its number.

`make golden` takes them anew, once the number of whatever changed has been raised. Whole numbers and text must agree
exactly, other numbers to one part in ten thousand: processors round differently, changes of the code are larger.
"""

import hashlib
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from tests.searches import tiny_recipe
from tuner.features.bank import open_bank
from tuner.features.bank_files import seal
from tuner.features.extract import Alone, BankSource
from tuner.features.pieces import Extractor
from tuner.features.plan import FORMAT
from tuner.search.execute.plan import StageSpec, plan
from tuner.search.execute.worker import run_stage
from tuner.search.record.inputs import load_input
from tuner.search.stages import CODE_VERSIONS
from tuner.store import Artifacts, open_store

FILE = Path(__file__).with_name("golden.json")
RECIPE = (
    "backbone.n_atoms=16",
    "backbone.grid=4",
    "dense.precision=float32",
    "finetune.precision=float32",
    "dense.epochs=1",
    "finetune.epochs=1",
)
PARAMS = {"n_features": 6, "features_per_class": 3, "width": 24, "l1": 1.0}
TOLERANCE = 1e-4
THE_WAY = ("log", "gap")  # how the solver got there, which last digits decide; its results are compared
RAISE = {"bank": "FORMAT in tuner/features/plan.py"}  # others: CODE_VERSIONS

Fingerprints = dict[str, dict[str, Any]]


def take() -> Fingerprints:
    """Run the trial; returns {"code": number, "content": fingerprint} of each artifact, in the order of the stages."""
    recipe = tiny_recipe(*RECIPE)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        artifacts = Artifacts(open_store(str(root / "store")))
        source, folder = BankSource(recipe.data, recipe.backbone), root / "bank"
        folder.mkdir()
        worker = Extractor(source.backbone, source.data.name, root / "drafts", "cpu")
        source.build(folder, artifacts, Alone(worker, artifacts, None, lambda _: None))
        seal(folder)
        artifacts.publish("banks", source.key, folder, {})
        bank = load_input(artifacts, "banks", source.key, open_bank)
        of_shards = {"patches": _array(bank.patches[:]), "masks": _array(bank.masks)}
        found = {"bank": {"code": FORMAT, "content": fingerprint(folder) | of_shards}}
        stages = plan(recipe.at(PARAMS), bank.key)
        split = {"split": stages[0].settings["split"]}
        for spec in [*stages, StageSpec("probe", split, {"bank": bank.key}, recipe.seed)]:
            ended = run_stage(spec, artifacts.store.url, root, threads=1)
            assert ended.outcome == "complete", ended
            content = fingerprint(artifacts.fetch(spec.kind, spec.key))
            found[spec.stage] = {"code": CODE_VERSIONS[spec.stage], "content": content}
        return found


def fingerprint(folder: Path) -> dict[str, Any]:
    """The numbers and words in the files of an artifact, by a name for each."""
    found: dict[str, Any] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix == ".safetensors":
            found |= {f"{file.stem}/{name}": _array(value) for name, value in load_file(file).items()}
        elif file.suffix == ".npy":
            found[file.stem] = _array(np.load(file, allow_pickle=False))
        elif file.suffix == ".parquet":
            found[file.stem] = pq.read_table(file).to_pylist()
        elif file.name not in ("manifest.json", "bank.json"):
            found[file.stem] = {k: v for k, v in json.loads(file.read_text()).items() if k not in THE_WAY}
    return found


def _array(values: np.ndarray) -> list[Any]:
    """Shape and hash; for fractions instead of a hash, how many are not NaN, their mean, their deviation and some."""
    if values.dtype.kind != "f":
        return [list(values.shape), hashlib.sha256(values.tobytes()).hexdigest()[:16]]
    known = values[~np.isnan(values)].astype(np.float64)
    counted = [list(values.shape)] if known.size == values.size else [list(values.shape), known.size]
    if known.size == 0:
        return counted
    some = known[np.linspace(0, known.size - 1, min(known.size, 6)).astype(int)]
    return [*counted, *(float(f"{v:.7g}") for v in (known.mean(), known.std(), *some))]


def agree(a: Any, b: Any) -> bool:
    """Whether two fingerprints are of the same result."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(agree(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(agree, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-6)
    return bool(a == b)


def stale(kept: Fingerprints, found: Fingerprints) -> str:
    """Which number is to be raised, in a sentence; empty if none. What follows a raised number may change with it."""
    for name, now in found.items():
        then = kept.get(name)
        if then is None or then["code"] != now["code"]:
            return ""
        if not agree(then["content"], now["content"]):
            number = RAISE.get(name, f"the version of its row in tuner/search/stages.py (CODE_VERSIONS[{name!r}])")
            return f"the artifact {name!r} has changed: raise {number}, now {now['code']}, then run `make golden`"
    return ""


def load() -> Fingerprints:
    """The fingerprints that are kept."""
    kept: Fingerprints = json.loads(FILE.read_text())
    return kept


if __name__ == "__main__":
    taken = take()
    if FILE.exists() and (complaint := stale(load(), taken)):
        sys.exit(complaint)
    FILE.write_text(json.dumps(taken, indent=1, sort_keys=True) + "\n")
