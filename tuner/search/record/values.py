"""Reads the results of evaluate and training stages from the store, without torch."""

from pathlib import Path

from tuner.base.untrusted import read_json, require, shown
from tuner.qpm.curves import read_curves as curves_in
from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.inputs import load_input
from tuner.search.stages import STAGES, measuring_stage, trained
from tuner.store import Artifacts, Manifest
from tuner.store.manifest import corrupt

VALUES_FILE = "values.json"
MOST_VALUES = 1000


def read_values(artifacts: Artifacts, key: str) -> dict[str, float]:
    """The metrics an evaluate stage measured.

    Raises:
        CorruptArtifactError: they are damaged, or no numbers.
    """
    return load_input(artifacts, measuring_stage().kind, key, _values)


def read_curves(artifacts: Artifacts, stage: str, key: str) -> list[dict[str, float]]:
    """The learning curves of a stage of a trial that trains: one row per epoch; none for other stages.

    Raises:
        CorruptArtifactError: they are damaged, or no numbers.
    """
    if stage not in (made.name for made in trained()):
        return []
    return load_input(artifacts, STAGES[stage].kind, key, curves_in)


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
    sound = (
        0 < len(values) <= MOST_VALUES and numbers and all(name.isascii() and name.isidentifier() for name in values)
    )
    require(sound, file, "it does not hold metrics", "finite numbers by the names of metrics")
    return values
