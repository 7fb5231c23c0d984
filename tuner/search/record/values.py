"""Reads the results of evaluate and training stages from the store, without torch."""

import logging
import os
from pathlib import Path

import numpy as np

from tuner.base.untrusted import read_json, read_tensors, require, shown, tensor_table
from tuner.qpm.curves import read_curves as curves_in
from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.inputs import load_input
from tuner.search.record.state import TrialRecord
from tuner.search.stages import STAGES, measuring_stage, model_stage, rung_stage, with_curves
from tuner.store import Artifacts, CorruptArtifactError, Manifest, MissingKeyError
from tuner.store.manifest import corrupt

VALUES_FILE = "values.json"
IMAGES_FILE = "images.safetensors"
MOST_VALUES = 1000
MOST_IMAGES = 100_000_000

_log = logging.getLogger(__name__)


def read_values(artifacts: Artifacts, key: str, kind: str | None = None) -> dict[str, float]:
    """The metrics a stage measured; of the evaluate stage for None.

    Raises:
        CorruptArtifactError: they are damaged, or no numbers.
    """
    return load_input(artifacts, kind or measuring_stage().kind, key, _values)


def read_images(folder: Path) -> dict[str, np.ndarray]:
    """Values of single held-out images, by the names of their metrics, from the folder of an evaluate artifact.

    Returns:
        Each (n_images,) float32, in the metric's unit, NaN where it does not apply; empty for artifacts of earlier
        versions, which have none.

    Raises:
        MalformedError: the file is damaged or holds something else.
    """
    file = folder / IMAGES_FILE
    if not os.path.lexists(file):
        return {}
    table = tensor_table(file)
    named = 0 < len(table) <= MOST_VALUES and all(_is_name(name) for name in table)
    sizes = {shape for _, shape in table.values()}
    one = len(sizes) == 1 and all(len(size) == 1 and 0 < size[0] <= MOST_IMAGES for size in sizes)
    require(named and one, file, "it does not hold values of images", "a number for each image by the names of metrics")
    values = read_tensors(file, {name: ("F32", shape) for name, (_, shape) in table.items()}, finite=False)
    require(not any(np.isinf(v).any() for v in values.values()), file, "a value is infinite", "finite values, or NaN")
    return values


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()


def read_curves(artifacts: Artifacts, stage: str, key: str) -> list[dict[str, float]]:
    """The learning curves of a stage of a trial that trains: one row per epoch; none for other stages.

    Values on validation images are named `val_...`, and those of training are there alone where the stage ran in an
    earlier version, or the curves are damaged.

    Raises:
        CorruptArtifactError: those of training are damaged too, or no numbers.
        MissingKeyError: the stage's artifact is gone.
    """
    if stage not in (made.name for made in with_curves()):
        return []
    row = STAGES[stage]
    try:
        return load_input(artifacts, row.curves, key, curves_in)
    except MissingKeyError:
        pass
    except CorruptArtifactError as damage:
        _log.warning("%s; the curves of training are shown alone", damage.what)
    return load_input(artifacts, row.kind, key, curves_in) if row.does == "train" else []


def curves_of(trial: TrialRecord, stage: str) -> tuple[str, str] | None:
    """The stage, and its key, that has a trial's curves of a stage: of a pruned trial the rung; None: it has none."""
    if (key := trial.stage_key(stage)) is not None:
        return stage, key
    key = trial.stage_key(rung_stage().name) if stage == model_stage().name else None
    return None if key is None else (rung_stage().name, key)


def stored_program(manifest: Manifest) -> ProgramInfo | None:
    """How a stage's program ended; None where there was none.

    Raises:
        CorruptArtifactError: the manifest says something else.
    """
    program = manifest.meta.get("program")
    if program is None:
        return None
    kinds = {"objective": float, "bound": float, "gap": float, "seconds": float, "status": str}
    known = isinstance(program, dict) and program.keys() <= kinds.keys()
    if known and all(type(value) in (kinds[name], int, type(None)) for name, value in program.items()):
        return ProgramInfo.from_json(program)
    raise corrupt(f"manifest {manifest.kind}/{manifest.key}", f"says program={shown(program)}")


def _values(folder: Path) -> dict[str, float]:
    file = folder / VALUES_FILE
    values = read_json(file)
    numbers = all(type(value) in (int, float) for value in values.values())
    sound = 0 < len(values) <= MOST_VALUES and numbers and all(_is_name(name) for name in values)
    require(sound, file, "it does not hold metrics", "finite numbers by the names of metrics")
    return values
