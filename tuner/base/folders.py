"""Folders of the user on this machine: the home behind `~`, and where all that can be made again is kept.

A container's user may have neither HOME nor an entry in the list of users; nothing here ends in a traceback then.
"""

import functools
import logging
import os
import tempfile
from pathlib import Path

from tuner.base.private import is_mine
from tuner.errors import TunerError, UsageError

CACHE = "QPM_TUNER_CACHE"


def home_path(text: str, setting: str) -> Path:
    """A path as people write it, `~` and `~user` standing for a home folder.

    Args:
        text: the path.
        setting: where it was written, for the error.

    Raises:
        UsageError: it starts with `~`, and that home folder is unknown.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{setting}={text}, and the home folder that ~ stands for is unknown",
            "a user with a home folder",
            "set HOME, or write the whole path",
        ) from None


def at_home(text: str, setting: str) -> str:
    """As `home_path`, for a setting that may be empty or no path at all."""
    return str(home_path(text, setting)) if text.startswith("~") else text


def checked_path(value: object, setting: str) -> Path:
    """A path that was given from Python.

    Args:
        value: a text or a path, `~` standing for the home folder.
        setting: the argument's name, for the error.

    Raises:
        UsageError: it is something else or empty, or the home folder is unknown.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(path := os.fspath(value), str) or not path:
        raise UsageError(f"{setting}={value!r}", "a path", f'give one, such as {setting}="place"')
    return Path(at_home(path, setting))


def cache_root() -> Path:
    """Where a node keeps what can be made again: downloads, checkpoints, digests, converted weights.

    `$QPM_TUNER_CACHE`, else `qpm-tuner` in `$XDG_CACHE_HOME`, else in `~/.cache`; for a user without a home
    folder a private one among the temporary files, and a warning says so.

    Raises:
        UsageError: a variable names the home folder of nobody.
        TunerError: there is no home, and no private temporary folder either.
    """
    if folder := os.environ.get(CACHE):
        return home_path(folder, CACHE)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return home_path(base, "XDG_CACHE_HOME") / "qpm-tuner"
    try:
        return Path.home() / ".cache" / "qpm-tuner"
    except RuntimeError:
        return _homeless()


def made_folder(folder: Path) -> Path:
    """A folder below the cache's root, made if need be.

    Raises:
        TunerError: it cannot be made; the variable to set is named.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(folder, error.strerror or str(error)) from None
    return folder


@functools.cache
def _homeless() -> Path:
    """A folder that nobody else can have prepared or can read."""
    folder = Path(tempfile.gettempdir()) / f"qpm-tuner-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise unusable(folder, error.strerror or str(error)) from None
    if not is_mine(found):
        raise unusable(folder, "it is somebody else's, or open to others")
    logging.getLogger(__name__).warning("this user has no home folder: caching in %s; set HOME or %s", folder, CACHE)
    return folder


def unusable(folder: Path, reason: str) -> TunerError:
    """The error for a folder that cannot hold what this node caches."""
    return TunerError(f"cannot cache in {folder}: {reason}", "a folder that can be written", f"set {CACHE} to one")
