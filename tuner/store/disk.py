"""Disk access of the local store and the node cache: durable atomic writes, locks, and error messages."""

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
    errno.ENOTDIR: ("one component of the path is a file, not a folder", "choose another folder, or move the file"),
    errno.EISDIR: ("the path is a folder, not a file", "choose another folder or key"),
}

_NO_FOLDER_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors of network file systems that cannot sync a folder."""


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `StoreError` that names the action and the cause."""
    try:
        yield
    except OSError as error:
        reason, todo = _REASONS.get(error.errno or 0, (error.strerror or str(error), "check the disk and the folder"))
        raise StoreError(f"cannot {action} {path}: {reason}", "an accessible folder", todo) from error


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """A hidden path beside the target to write to and then rename; always removed afterwards.

    It may become a file or a folder. `Store.list` does not show files orphaned by a killed process, and the next start
    removes them.
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
    """Write a new file and sync it to disk, so that a power failure cannot leave an empty file after the rename."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def copy_synced(source: Path, path: Path) -> None:
    """Copy a file without reading it into memory, and sync it to disk like `write_synced`."""
    shutil.copyfile(source, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents durably, so that they survive a power failure."""
    missing = []
    for place in (folder, *folder.parents):
        if place.exists():
            break
        missing.append(place)
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to disk: a file survives a power failure only if its directory entry does."""
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
    """Hold an exclusive lock between processes and threads; the log names the holder while this one waits.

    Args:
        path: the lock file; it is not deleted.
        wait: wait for the lock; if False, yield False at once when another process or thread holds it.
        patience_s: seconds to wait, for locks that are only ever held briefly.

    Raises:
        StoreError: the lock was not released within `patience_s`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        taken = locks.take(file.fileno(), path, patience_s if wait else 0.0)
        if wait and not taken:
            raise StoreError(
                f"the lock {path} has been held for {patience_s:.0f} s by {locks.holder_of(path)}",
                "a lock that is released within milliseconds",
                "end that process, or resume it if it is stopped, then run the same command again",
            )
        yield taken
