"""Locks on files, between processes and threads, and a word to whoever waits for one: which file, and who has it.

The system lets go of a lock when its process ends; only one that lives, or is stopped, can keep others waiting.
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
    """Somebody's wait for a lock, told to the log as a warning: to standard error, and so to the log of a job as well.

    Args:
        path: the lock's file or folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.words = ""
        self._begun_s = time.monotonic()
        self._due_s = WORD_AFTER_S
        _waiting.add(self)

    @property
    def seconds(self) -> float:
        """How long it has been."""
        return time.monotonic() - self._begun_s

    def go_on(self) -> None:
        """Say who has the lock, if it is time to; to be called again and again."""
        if self.seconds >= self._due_s:
            holder = holder_of(self.path)
            _log.warning("waiting for the lock %s for %.0f s now; it is held by %s", self.path, self.seconds, holder)
            self.words = f"waiting for the lock {self.path}, held by {holder}"
            self._due_s = self.seconds + WORD_EVERY_S

    def end(self) -> None:
        """Say that it is over, if it was told."""
        self.words = ""
        if self._due_s > WORD_AFTER_S:
            _log.warning("%s is free now", self.path)


def waits() -> str:
    """What this process waits for, for people who do not see its log; empty: for no lock, or not for long yet."""
    return "; ".join(filter(None, [waiting.words for waiting in list(_waiting)]))


def take(descriptor: int, path: Path, patience_s: float = math.inf) -> bool:
    """Take the exclusive lock on an open file or folder, and say so while somebody else has it.

    Args:
        descriptor: the open file; closing it lets go.
        path: its name, for people.
        patience_s: for how long to wait.

    Returns:
        whether it was taken.
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
    """Who holds the lock on a file, such as "pid 4711 (qpm-tuner search)", as far as the system tells."""
    try:
        pids = list(_holders(path.stat()))
    except (OSError, ValueError):
        pids = []
    if not pids:
        return "an unknown process, perhaps on another machine"
    if pids[0] == os.getpid():
        return f"pid {pids[0]} (this process itself)"
    return _named(pids[0]) if pids[0] > 0 else "a process of another container"


def _holders(file: os.stat_result) -> Iterator[int]:
    """Process ids of those who hold a lock on the file; 0 for one that cannot be seen from here.

    File systems with devices of their own making (btrfs, overlays) appear under another number in /proc/locks; there
    the open files of a process tell.
    """
    device = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}"
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        fields = line.split()
        if len(fields) < 6 or fields[1] == "->":  # who waits for it
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
    """A process by its id and its command; words that may hold a setting or an address are left out."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return f"pid {pid}"
    shown = " ".join(word for word in words if word.isprintable() and "=" not in word and "://" not in word).strip()
    command = f" ({shown[:_SHOWN_COMMAND]})" if shown else ""
    return f"pid {pid}{command}{', which is stopped' if state in 'Tt' else ''}"
