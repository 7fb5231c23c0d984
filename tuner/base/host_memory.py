"""How much main memory this process may still take: the least that the machine, its control groups and its own limits
leave. Memory that only caches files counts as free: the kernel gives it back.

What cannot be read, such as anything of this outside Linux, limits nothing.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
# limit, usage and the two lines of memory.stat that are file cache, by version of control groups
_V2 = ("memory.max", "memory.current", ("active_file", "inactive_file"))
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file"))


def available_bytes(root: Path = ROOT) -> float:
    """Main memory that this process may still take, in bytes; infinite where nothing is known.

    Args:
        root: the folder that holds `proc` and `sys`.
    """
    left = [_of_the_machine(root), *_of_groups(root), *_of_the_process(root)]
    return max(0.0, min(left, default=math.inf))


def _of_the_machine(root: Path) -> float:
    """What the kernel could hand out without swapping."""
    told = _table(root / "proc/meminfo")
    if "MemAvailable" in told:
        return 1024.0 * told["MemAvailable"]
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError):
        return math.inf


def _of_groups(root: Path) -> Iterator[float]:
    """What each control group leaves, from the process's own up to the one that is mounted."""
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if not controllers:
            top, files = root / "sys/fs/cgroup", _V2
        elif "memory" in controllers.split(","):
            top, files = root / "sys/fs/cgroup/memory", _V1
        else:
            continue
        own = top / name.lstrip("/")
        inside = own if ".." not in own.parts and own.is_dir() else top  # in a container, the name may be the host's
        for folder in (inside, *inside.parents):
            yield _of_group(folder, *files)
            if folder == top:
                break


def _of_group(folder: Path, limit_file: str, usage_file: str, cached: tuple[str, ...]) -> float:
    limit, usage = _number(folder / limit_file), _number(folder / usage_file)
    if limit is None or usage is None:
        return math.inf
    told = _table(folder / "memory.stat")
    return limit - usage + sum(told.get(name, 0) for name in cached)


def _of_the_process(root: Path) -> Iterator[float]:
    """What `ulimit -v` and `ulimit -d` leave."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    told = _table(root / "proc/self/status")
    for which, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        limit, _ = resource.getrlimit(which)
        if limit != resource.RLIM_INFINITY and name in told:
            yield limit - 1024.0 * told[name]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _number(file: Path) -> int | None:
    """The number in a file; None without a file, or where it says `max`."""
    text = "".join(_lines(file)[:1])
    return int(text) if text.isdigit() else None


def _table(file: Path) -> dict[str, int]:
    """The first number behind each name."""
    rows = (line.replace(":", " ").split() for line in _lines(file))
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
