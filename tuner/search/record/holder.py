"""Who drives a search, in words that tell whether that process still runs on this machine."""

import os
import re
import socket
from pathlib import Path

from tuner.base.processes import started_at

_HOLDER = re.compile(r"(?P<host>\S+) pid (?P<pid>\d{1,9}) \((?P<machine>\S+), (?P<started>\d+)\)")
_UNKNOWN = "unknown"


def this_driver() -> str:
    """Host, process, where it runs and since when, such as "lab7 pid 4711 (1f0c...+4026531836+4026531834, 812345)"."""
    return f"{socket.gethostname()} pid {os.getpid()} ({_machine() or _UNKNOWN}, {started_at(os.getpid()) or _UNKNOWN})"


def short(holder: str) -> str:
    """A holder as people need it: without what only tells whether it still runs."""
    return holder.partition(" (")[0]


def is_gone(holder: str) -> bool:
    """Whether a driver named by `this_driver` ran here and has died; False where that cannot be told.

    "Here" is this host name, this boot of its kernel, and the same view of its processes: containers of one host may
    share its name, and one process has another number in each of them.
    """
    named, machine = _HOLDER.fullmatch(holder), _machine()
    if named is None or machine is None or (named["host"], named["machine"]) != (socket.gethostname(), machine):
        return False
    pid = int(named["pid"])
    started = started_at(pid)
    return started not in (named["started"], None) or (started is None and not _exists(pid))


def _machine() -> str | None:
    """The kernel's boot and this process's view of processes and times; None where /proc does not show this view."""
    try:
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            return None  # the /proc of another container or of the host: its numbers mean other processes
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space, times = Path("/proc/self/ns/pid").stat().st_ino, Path("/proc/self/ns/time")
        return f"{boot}+{space}+{times.stat().st_ino if times.exists() else 0}" if boot else None
    except (OSError, ValueError):
        return None


def _exists(pid: int) -> bool:
    """Whether there is such a process, though /proc may hide it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
