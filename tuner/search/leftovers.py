"""What killed workers left in this node's cache: downloads that were cut off, checkpoints that nobody goes on with."""

import contextlib
import shutil
import time
from pathlib import Path

from tuner.search.plan import digest
from tuner.store import Artifacts

TRAINED = ("stages/dense", "stages/finetune")
QUIET_S = 3600.0
"""A stage that runs writes its checkpoint far more often; another search may run one that this store has meanwhile."""
FORGOTTEN_S = 30 * 24 * 3600.0


def clear_cache(artifacts: Artifacts, scratch: Path) -> None:
    """Remove them; what another process is at work on stays, and so does what this one may go on with.

    Args:
        artifacts: of the store whose finished stages need no checkpoint any more.
        scratch: where epoch checkpoints lie on this node.
    """
    artifacts.cache.sweep()
    ours = f"-{digest(artifacts.store.url)[:8]}"
    for folder in scratch.glob("*-*"):
        with contextlib.suppress(OSError):
            quiet_s = time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            key = folder.name.removesuffix(ours)
            done = folder.name.endswith(ours) and any(artifacts.find(kind, key) is not None for kind in TRAINED)
            if quiet_s > (QUIET_S if done else FORGOTTEN_S):
                shutil.rmtree(folder, ignore_errors=True)
