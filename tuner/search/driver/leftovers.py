"""Removes orphaned files of killed processes: partial downloads, unused checkpoints, temporary folders."""

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from tuner.base.processes import started_at
from tuner.search.execute.plan import digest
from tuner.search.stages import STAGES
from tuner.store import Artifacts

QUIET_S = 3600.0
"""A running stage writes checkpoints far more often; another search may be running a stage that this store has."""
FORGOTTEN_S = 30 * 24 * 3600.0

EARLIER = re.compile(r"qpm-tuner-(tune-)?(?!\d+$)[a-z0-9_]{8}")
"""Unlocked temporary folders of earlier versions; one whose name ends in digits is a user's cache."""
ABANDONED_S = 24 * 3600.0


def clear_cache(artifacts: Artifacts, scratch: Path) -> None:
    """Remove partial downloads and unused checkpoints, except what a running process or this search may still use.

    Args:
        artifacts: of the store; its finished stages no longer need checkpoints.
        scratch: the folder of epoch checkpoints on this node.
    """
    artifacts.cache.sweep()
    ours = f"-{digest(artifacts.store.url)[:8]}"
    kinds = [stage.kind for stage in STAGES.values()]
    for folder in scratch.glob("*-*"):
        with contextlib.suppress(OSError):
            quiet_s = time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            key = folder.name.removesuffix(ours)
            done = folder.name.endswith(ours) and any(artifacts.find(kind, key) is not None for kind in kinds)
            if quiet_s > (QUIET_S if done else FORGOTTEN_S):
                shutil.rmtree(folder, ignore_errors=True)


def clear_temporaries(root: Path) -> list[Path]:
    """Remove orphaned temporary folders of killed processes of earlier versions; returns the removed ones.

    Their owner process is unknown. A folder is removed only if it belongs to this user, nothing in it has changed for a
    day, and no Python process of this user is old enough to have created it. If that is unknown, all are kept.

    Args:
        root: the folder for temporary files.
    """
    removed = []
    oldest_s = min(_pythons_began_s(), default=time.time())
    for folder in root.glob("qpm-tuner-*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            ours = EARLIER.fullmatch(folder.name) and stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            if not ours or found.st_mode & 0o077:
                continue
            changed_s = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
            if changed_s < min(oldest_s, time.time() - ABANDONED_S):
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
    return removed


def _pythons_began_s() -> Iterator[float]:
    """Start times of this user's Python processes, including Ray's; 0 if one cannot be read."""
    try:
        booted_s = float(re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)[1])  # type: ignore[index]
        processes = [place for place in Path("/proc").iterdir() if place.name.isdigit()]
    except (OSError, TypeError):
        yield 0.0
        return
    for process in processes:
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            ours = process.stat().st_uid == os.getuid() and "python" in (process / "exe").readlink().name
            if ours and (ticks := started_at(int(process.name))):
                yield booted_s + float(ticks) / os.sysconf("SC_CLK_TCK")
