"""Identifies processes by id and start time, since process ids are reused."""

from pathlib import Path


def started_at(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot, or "zombie"; None if it cannot be determined."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "zombie" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return None
