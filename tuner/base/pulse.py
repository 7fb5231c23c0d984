"""Heartbeats: a counter that increases whenever work makes progress, to distinguish slow work from stuck work.

A separate heartbeat thread would keep beating while the work hangs. So the work itself counts: each batch, each solver
step, each portion of a file. Monitors only check whether the counter has changed.
"""

_count = 0


def beat() -> None:
    """Count one step of progress; cheap enough for any loop."""
    global _count  # noqa: PLW0603  one counter per process
    _count += 1


def count() -> int:
    """Steps so far; only changes of the number matter."""
    return _count
