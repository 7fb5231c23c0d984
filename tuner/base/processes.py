"""Telling processes apart: ids are given out again, but no two processes of an id started at the same time."""

from pathlib import Path


def started_at(pid: int) -> str | None:
    """When a process started, in clock ticks since boot, or "zombie"; None where that cannot be seen."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "zombie" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return None
