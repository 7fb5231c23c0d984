"""What the local store and the node cache need from a disk: whole files that last, locks, and errors in three parts."""

import errno
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuner.base import locks
from tuner.base.private import noted
from tuner.store.errors import StoreError

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, or choose another folder"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or choose another folder"),
    errno.EFBIG: ("the file is larger than this system allows", "raise the limit, or choose another folder"),
    errno.EACCES: ("permission denied", "change the permissions, or choose another folder"),
    errno.EPERM: ("permission denied", "change the permissions, or choose another folder"),
    errno.EROFS: ("the file system is read-only", "choose a folder that can be written"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder, or move the file"),
    errno.EISDIR: ("the path is a folder, not a file", "choose another folder or key"),
}

_NO_FOLDER_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
"""What some network file systems answer: they cannot write down a folder by itself."""


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `StoreError` that says what could not be done, and why."""
    try:
        yield
    except OSError as error:
        reason, todo = _REASONS.get(error.errno or 0, (error.strerror or str(error), "check the disk and the folder"))
        raise StoreError(f"cannot {action} {path}: {reason}", "a folder that can be used", todo) from error


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """A hidden path beside the target to write to and then rename; removed afterwards, whatever happens.

    A folder serves as well as a file. What a killed process leaves behind is hidden from `Store.list`, and goes at the
    next start.
    """
    make_folder(target.parent)
    path = target.parent / f".{secrets.token_hex(8)}"
    try:
        with noted(path):
            yield path
    finally:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until the disk has it, so that no power cut leaves an empty file renamed."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def copy_synced(source: Path, path: Path) -> None:
    """Copy a file's bytes without reading them into memory, and wait as `write_synced` does."""
    shutil.copyfile(source, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, so that a power cut does not take them back."""
    missing = []
    for place in (folder, *folder.parents):
        if place.exists():
            break
        missing.append(place)
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder: a file is there after a power cut only if its name is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: bool = True, patience_s: float = math.inf) -> Iterator[bool]:
    """Hold an exclusive lock between processes and threads; who waits for it is told who has it.

    Args:
        path: the lock file; it stays.
        wait: wait for the lock; else yield False at once when somebody has it.
        patience_s: for how long to wait, where everybody lets go soon.

    Raises:
        StoreError: somebody has held it for as long as that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        taken = locks.take(file.fileno(), path, patience_s if wait else 0.0)
        if wait and not taken:
            raise StoreError(
                f"the lock {path} has been held for {patience_s:.0f} s by {locks.holder_of(path)}",
                "a lock that everybody lets go of within an instant",
                "end that process, or let it go on if it is stopped, then run the same command again",
            )
        yield taken
