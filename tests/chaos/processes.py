"""Finding the processes that are to die."""

import psutil


def ray_processes(parent: int, task: str = "") -> list[psutil.Process]:
    """The processes under `parent` that work for Ray, at a task whose name begins so; Ray names them by their task."""
    found = []
    for child in psutil.Process(parent).children(recursive=True):
        try:
            if " ".join(child.cmdline()).startswith(f"ray::{task}"):
                found.append(child)
        except psutil.Error:  # ended meanwhile
            continue
    return found


def stage_workers(parent: int, stage: str) -> list[psutil.Process]:
    """Those in which tasks run that begin with a stage."""
    return ray_processes(parent, f"{stage}-")
