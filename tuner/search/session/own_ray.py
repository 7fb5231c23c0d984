"""A Ray of our own on this machine: on loopback, behind a token, in a folder that no other user of the machine enters.

Ray's own token file can be read by everybody, and everybody may write into its session folder: whoever can do either
runs code as the user.
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
    """What to pass to `ray.init`, for a Ray that is to be shut down before the block ends.

    The environment is left as it was found.

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
    """A token of this Ray alone; one that the user has for a cluster is neither shown to it nor lost."""
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
    """Listen on loopback only, by Ray's own switch for a node that is alone."""
    before, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    try:
        with environment({ALONE: "0"}):
            yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before
