"""A private Ray on this machine: on loopback, with a token, in a folder that other users cannot access.

By default every user can read Ray's token file and write to its session folder, and either suffices to run code as the
user.
"""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray._private.ray_constants as constants

from tuner.base.environment import environment
from tuner.base.files import write_private
from tuner.base.private import private_folder
from tuner.search.session.environment import read_environment_again
from tuner.search.session.surroundings import FOLDER_BYTES, OBJECT_BYTES, memory_trouble

ALONE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@contextlib.contextmanager
def own_ray() -> Iterator[dict[str, Any]]:
    """The arguments of `ray.init`, for a Ray that must be shut down before the block ends.

    The environment is restored afterwards.

    Raises:
        UsageError: there is no folder for it.
    """
    with private_folder(FOLDER_BYTES, "RAY_TMPDIR") as folder, _token(folder / "token"), alone():
        options: dict[str, Any] = {"include_dashboard": False, "object_store_memory": OBJECT_BYTES}
        options["_temp_dir"] = str(folder)
        if memory_trouble() is not None:
            options["_plasma_directory"] = str(folder)
        yield options


@contextlib.contextmanager
def _token(path: Path) -> Iterator[None]:
    """A token for this Ray only; the user's token for a cluster is neither passed to it nor lost."""
    write_private(path, secrets.token_hex(32))
    ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path), "RAY_AUTH_TOKEN": None}
    try:
        with environment({**ours, "RAY_ENABLE_K8S_TOKEN_AUTH": None}):
            read_environment_again()
            yield
    finally:
        read_environment_again()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Listen on loopback only, through Ray's own switch for a single node."""
    before, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    try:
        with environment({ALONE: "0"}):
            yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before
