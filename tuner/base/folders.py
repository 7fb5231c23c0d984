"""Folders of the user on this machine: the home folder behind `~`, and the root of all caches.

A container's user may have neither HOME nor an entry in the user database; this never ends in a traceback.
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
    """A path with `~` and `~user` expanded to the home folder.

    Args:
        text: the path.
        setting: name of the setting it comes from, for the error message.

    Raises:
        UsageError: it starts with `~`, and that home folder is unknown.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{setting}={text}, but the home folder behind ~ is unknown",
            "a user with a home folder",
            "set HOME, or give an absolute path",
        ) from None


def at_home(text: str, setting: str) -> str:
    """Like `home_path`, for a setting that may be empty or not a path."""
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
    """Where a node keeps data that can be recreated: downloads, checkpoints, digests, converted weights.

    `$QPM_TUNER_CACHE`, else `qpm-tuner` in `$XDG_CACHE_HOME`, else in `~/.cache`. A user without a home folder gets a
    private folder for temporary files, and a warning.

    Raises:
        UsageError: a variable names the home folder of an unknown user.
        TunerError: there is no home folder, and no private temporary folder can be created.
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
    """A folder below the cache root, created if necessary.

    Raises:
        TunerError: it cannot be created; the message names the variable to set.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(folder, error.strerror or str(error)) from None
    return folder


@functools.cache
def _homeless() -> Path:
    """A temporary folder that no other user can have prepared or can read."""
    folder = Path(tempfile.gettempdir()) / f"qpm-tuner-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise unusable(folder, error.strerror or str(error)) from None
    if not is_mine(found):
        raise unusable(folder, "it belongs to another user, or is accessible to others")
    logging.getLogger(__name__).warning("this user has no home folder: caching in %s; set HOME or %s", folder, CACHE)
    return folder


def unusable(folder: Path, reason: str) -> TunerError:
    """The error for a cache folder that cannot be used."""
    return TunerError(f"cannot cache in {folder}: {reason}", "a writable folder", f"set {CACHE} to one")
