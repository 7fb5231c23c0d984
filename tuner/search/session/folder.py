"""The folder of the driver, to which relative paths of a recipe belong, also where a worker reads them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


def driver_folder() -> str:
    """This process's folder, for a worker's `as_from`."""
    return str(Path.cwd())


@contextlib.contextmanager
def as_from(folder: str) -> Iterator[None]:
    """Run a block in the driver's folder, where this node has it; Ray starts workers in that of the node's own start.

    Args:
        folder: `driver_folder` of the driver.
    """
    with contextlib.chdir(folder) if Path(folder).is_dir() else contextlib.nullcontext():
        yield
