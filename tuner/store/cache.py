"""The node's download cache: folders named by content hash, each fetched once, evicted least recently used first.

All processes of a node share it without a server: file locks and atomic renames are sufficient.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tuner.base.locks import Waiting
from tuner.base.pulse import beat
from tuner.errors import UsageError
from tuner.store.disk import explained, locked

_LOOK_S = 0.2  # polling interval while another process fills an entry


class NodeCache:
    """A folder of downloaded folders with a limit on their total size.

    Args:
        folder: on a local disk, shared by all processes of the node.
        limit_bytes: maximum size of the cache; recently used entries are kept even if they exceed it.
        grace_s: seconds after its last use during which an entry is never evicted, so that a caller has time to open
            its files. Files that are open or memory-mapped survive eviction anyway.
    """

    def __init__(self, folder: Path, limit_bytes: int, grace_s: float = 600.0) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.grace_s = grace_s

    def get(self, name: str, size_bytes: int, fill: Callable[[Path], None]) -> Path:
        """The folder of an entry, filled first if it is not cached on this node yet.

        If several processes request the entry at once, one fills it and the others wait.

        Args:
            name: name of the entry, a hash of its contents.
            size_bytes: its expected size.
            fill: writes its files into the empty folder it is given.

        Raises:
            TunerError: the disk cannot store it, or `fill` raised.
        """
        entry = self.folder / name
        with explained("cache", entry), self._filling(name):
            if not entry.is_dir():
                self._make_room(size_bytes)
                part = self.folder / f"{name}.part"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                fill(part)
                part.rename(entry)
            os.utime(entry)
        return entry

    @contextlib.contextmanager
    def _filling(self, name: str) -> Iterator[None]:
        """Hold an entry's lock; while waiting, progress of the filling process counts as a heartbeat of this one."""
        part, seen, waiting = self.folder / f"{name}.part", -1, Waiting(self._lock(name))
        while True:
            with locked(self._lock(name), wait=False) as mine:
                if mine:
                    waiting.end()
                    yield
                    return
            waiting.go_on()
            with contextlib.suppress(FileNotFoundError):  # renamed just now
                if (size := _size_bytes(part)) != seen:
                    seen = size
                    beat()
            time.sleep(_LOOK_S)

    def drop(self, name: str) -> None:
        """Remove an entry, for example because its files are corrupt."""
        with explained("drop", self.folder / name), locked(self._lock(name)):
            self._remove(self.folder / name)

    def sweep(self) -> None:
        """Remove partial entries orphaned by killed processes; entries being filled are locked and kept."""
        for part in self.folder.glob("*.part"):
            with contextlib.suppress(OSError), locked(self._lock(part.name.removesuffix(".part")), wait=False) as mine:
                if mine:
                    shutil.rmtree(part, ignore_errors=True)

    def _make_room(self, size_bytes: int) -> None:
        """Evict entries, least recently used first, until the new one fits or all others are in use."""
        entries = []
        for path in self.folder.glob("[!.]*"):
            try:
                entries.append((path.stat().st_mtime, path, _size_bytes(path)))
            except FileNotFoundError:
                continue  # just renamed or removed by another process
        excess = sum(size for _, _, size in entries) + size_bytes - self.limit_bytes
        for used, path, size in sorted(entries):
            if excess <= 0 or used > time.time() - self.grace_s:
                return
            with locked(self._lock(path.name.removesuffix(".part")), wait=False) as mine:
                if mine:
                    self._remove(path)
                    excess -= size

    def _remove(self, entry: Path) -> None:
        """Rename before deleting, so that an entry is either complete or absent."""
        if entry.is_dir():
            part = self.folder / f"{entry.name.removesuffix('.part')}.part"
            if entry != part:
                shutil.rmtree(part, ignore_errors=True)
                entry.rename(part)
            shutil.rmtree(part)

    def _lock(self, name: str) -> Path:
        return self.folder / ".locks" / name


def default_limit_bytes() -> int:
    """Maximum cache size of a node in bytes: `$QPM_TUNER_CACHE_GB`, or 50 GB.

    Raises:
        UsageError: the variable is not a positive number.
    """
    text = os.environ.get("QPM_TUNER_CACHE_GB", "50")
    try:
        limit_gb = float(text)
    except ValueError:
        limit_gb = -1.0
    if not 0 < limit_gb < float("inf"):
        raise UsageError(f"QPM_TUNER_CACHE_GB is {text!r}", "a size in GB greater than 0", "set it, for example to 50")
    return int(limit_gb * 1e9)


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
