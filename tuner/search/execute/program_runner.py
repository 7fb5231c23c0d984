"""The runner of the assignment stage, apart from those that run models: it needs no torch, no bank, no GPU.

A search over sizes repeats it many times on the features that one dense stage has kept.
"""

from pathlib import Path

from tuner.qpm.assignment import Assignment, assign
from tuner.qpm.program_info import ProgramInfo
from tuner.qpm.settings import AssignConfig
from tuner.search.execute.job import StageJob


def run_assign(job: StageJob, folder: Path) -> None:
    """Solve the program that selects features and assigns them to classes, or draw a random control."""
    config = AssignConfig(**job.spec.settings["assign"])
    assignment = assign(job.dense_features(), config, seed=job.spec.seed, progress=job.tell_of_the_program)
    assignment.save(folder)
    job.program, job.timing = program_of(assignment), assignment.timing


def program_of(assignment: Assignment) -> ProgramInfo | None:
    """How a program ended; None for a random control."""
    if assignment.info["control"] != "none":
        return None
    told = {name: assignment.info[name] for name in ("objective", "bound", "gap", "status")}
    return ProgramInfo(**told, seconds=assignment.timing["seconds"])
