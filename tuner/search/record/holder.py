"""Identifies the driver of a search, so that others can check whether its process is alive."""

import os
import re
import socket
from pathlib import Path

from tuner.base.processes import started_at

_HOLDER = re.compile(r"(?P<host>\S+) pid (?P<pid>\d{1,9}) \((?P<machine>\S+), (?P<started>\d+)\)")
_UNKNOWN = "unknown"


def this_driver() -> str:
    """Host, process, boot and namespaces, start: "lab7 pid 4711 (1f0c...+4026531836+4026531834, 812345)"."""
    return f"{socket.gethostname()} pid {os.getpid()} ({_machine() or _UNKNOWN}, {started_at(os.getpid()) or _UNKNOWN})"


def short(holder: str) -> str:
    """A holder for display, without the part that only identifies the process."""
    return holder.partition(" (")[0]


def is_gone(holder: str) -> bool:
    """Whether a driver named by `this_driver` ran here and has died; False if that is unknown.

    "Here" means this host name, this boot of its kernel, and the same process namespace: containers on one host may
    share its name, and a process has a different id in each of them.
    """
    named, machine = _HOLDER.fullmatch(holder), _machine()
    if named is None or machine is None or (named["host"], named["machine"]) != (socket.gethostname(), machine):
        return False
    pid = int(named["pid"])
    started = started_at(pid)
    return started not in (named["started"], None) or (started is None and not _exists(pid))


def _machine() -> str | None:
    """The kernel's boot id and this process's PID and time namespaces; None if /proc belongs to another namespace."""
    try:
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            return None  # /proc of another container or of the host: its process ids differ
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space, times = Path("/proc/self/ns/pid").stat().st_ino, Path("/proc/self/ns/time")
        return f"{boot}+{space}+{times.stat().st_ino if times.exists() else 0}" if boot else None
    except (OSError, ValueError):
        return None


def _exists(pid: int) -> bool:
    """Whether the process exists, even if /proc hides it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
