"""Finding the processes that are to die."""

import psutil


def stage_workers(parent: int, stage: str) -> list[psutil.Process]:
    """The processes under `parent` in which tasks run that begin with a stage; Ray names them by their task."""
    found = []
    for child in psutil.Process(parent).children(recursive=True):
        try:
            if " ".join(child.cmdline()).startswith(f"ray::{stage}-"):
                found.append(child)
        except psutil.Error:  # ended meanwhile
            continue
    return found
