"""Who drives a search, in words that tell whether that process still runs on this machine."""

import os
import re
import socket
from pathlib import Path


def this_driver() -> str:
    """Host, process, and the machine's boot with the process's start, such as "lab7 pid 4711 (1f0c..., 812345)"."""
    return f"{_machine()[0]} pid {os.getpid()} ({_machine()[1]}, {_started(os.getpid())})"


def short(holder: str) -> str:
    """A holder as people need it: without what only tells whether it still runs."""
    return holder.partition(" (")[0]


def is_gone(holder: str) -> bool:
    """Whether a driver named by `this_driver` ran on this machine and has died; False where that cannot be told."""
    match = re.fullmatch(r"(\S+) pid (\d+) \((\S+), (\S+)\)", holder)
    if match is None or (match[1], match[3]) != _machine() or match[4] == "unknown":
        return False
    return _started(int(match[2])) != match[4]


def _machine() -> tuple[str, str]:
    """Host name and the kernel's boot, which tells machines and containers of one name apart as well as can be."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = "unknown"
    return socket.gethostname(), boot


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; "unknown" where there is no /proc or no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "unknown"
    return "zombie" if fields[0] == "Z" else fields[19]
