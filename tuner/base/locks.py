"""File locks between processes and threads; while one waits, the log names the file and the holder.

The kernel releases a lock when its process ends, so only a running or stopped process can block others.
"""

import fcntl
import logging
import math
import os
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

WORD_AFTER_S = 2.0
WORD_EVERY_S = 30.0
_LONGEST_PAUSE_S = 0.1
_SHOWN_COMMAND = 80  # characters

_log = logging.getLogger(__name__)


_waiting: "weakref.WeakSet[Waiting]" = weakref.WeakSet()


class Waiting:
    """A wait for a lock, logged as a warning and so also visible on standard error and in job logs.

    Args:
        path: the locked file or folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.words = ""
        self._begun_s = time.monotonic()
        self._due_s = WORD_AFTER_S
        _waiting.add(self)

    @property
    def seconds(self) -> float:
        """Seconds waited so far."""
        return time.monotonic() - self._begun_s

    def go_on(self) -> None:
        """Log the holder of the lock if a message is due; call this in the waiting loop."""
        if self.seconds >= self._due_s:
            holder = holder_of(self.path)
            _log.warning("waiting for the lock %s for %.0f s now; it is held by %s", self.path, self.seconds, holder)
            self.words = f"waiting for the lock {self.path}, held by {holder}"
            self._due_s = self.seconds + WORD_EVERY_S

    def end(self) -> None:
        """Log the end of the wait, if the wait was logged."""
        self.words = ""
        if self._due_s > WORD_AFTER_S:
            _log.warning("%s is free now", self.path)


def waits() -> str:
    """The locks this process is waiting for, for users who do not see its log; empty for none or only short waits."""
    return "; ".join(filter(None, [waiting.words for waiting in list(_waiting)]))


def take(descriptor: int, path: Path, patience_s: float = math.inf) -> bool:
    """Take the exclusive lock on an open file or folder; log the holder while waiting.

    Args:
        descriptor: the open file; closing it releases the lock.
        path: its path, for messages.
        patience_s: seconds to wait at most.

    Returns:
        Whether the lock was taken.
    """
    waiting, pause_s = Waiting(path), 0.001
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting.seconds >= patience_s:
                return False
        else:
            waiting.end()
            return True
        waiting.go_on()
        time.sleep(min(pause_s, max(0.0, patience_s - waiting.seconds)))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def holder_of(path: Path) -> str:
    """The holder of a file's lock, such as "pid 4711 (qpm-tuner search)", as far as the system reveals it."""
    try:
        pids = list(_holders(path.stat()))
    except (OSError, ValueError):
        pids = []
    if not pids:
        return "an unknown process, perhaps on another machine"
    if pids[0] == os.getpid():
        return f"pid {pids[0]} (this process itself)"
    return _named(pids[0]) if pids[0] > 0 else "a process in another container"


def _holders(file: os.stat_result) -> Iterator[int]:
    """Process ids of the holders of a lock on the file; 0 for a process outside this PID namespace.

    File systems with virtual device numbers (btrfs, overlayfs) appear under another number in /proc/locks; for these,
    the open files of each process are compared.
    """
    device = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}"
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        fields = line.split()
        if len(fields) < 6 or fields[1] == "->":  # a waiting process
            continue
        where, _, inode = fields[5].rpartition(":")
        pid = int(fields[4])
        if inode == str(file.st_ino) and (where == device or _has_open(pid, file)):
            yield max(pid, 0)


def _has_open(pid: int, file: os.stat_result) -> bool:
    try:
        return any(os.path.samestat(link.stat(), file) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _named(pid: int) -> str:
    """A process by id and command; arguments that may contain a setting or an address are omitted."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return f"pid {pid}"
    shown = " ".join(word for word in words if word.isprintable() and "=" not in word and "://" not in word).strip()
    command = f" ({shown[:_SHOWN_COMMAND]})" if shown else ""
    return f"pid {pid}{command}{', which is stopped' if state in 'Tt' else ''}"
