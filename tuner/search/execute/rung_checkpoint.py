"""The checkpoint that a rung leaves in the store, so that any machine can continue the fine-tuning from there.

It spares epochs and changes no result: fine-tuning that cannot use it starts from its first epoch.
"""

import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tuner.base.private import private_folder
from tuner.base.untrusted import MalformedError, plain_file
from tuner.search.execute.plan import StageSpec
from tuner.store import Artifacts, CorruptArtifactError, MissingKeyError

CHECKPOINTS = "checkpoints"
"""The folder of these artifacts in a store; a checkpoint has the key of its rung."""
CONTINUED_BY = "continued_by"
"""What its manifest calls the key of the fine-tuning that goes on from it; missing in earlier versions."""

# device, threads and, of a later round of training, its number; see `StageJob.trained`
_FILE = re.compile(r"[a-z]+-\d+\.ckpt(\.\d+)?")

_log = logging.getLogger(__name__)


def publish_checkpoint(artifacts: Artifacts, spec: StageSpec, folder: Path) -> None:
    """Publish the checkpoint files of a rung's training."""
    with private_folder() as copied:
        for file in _files(folder):
            shutil.copyfile(file, copied / file.name)
        meta = {"stage": spec.stage, "settings": spec.settings, "inputs": spec.inputs, "seed": spec.seed}
        meta[CONTINUED_BY] = spec.partner
        artifacts.publish(CHECKPOINTS, spec.key, copied, meta)


def fetch_checkpoint(artifacts: Artifacts, spec: StageSpec, folder: Path) -> bool:
    """Put the checkpoint of a fine-tuning's rung where its training looks for it; returns whether there is one.

    Epochs that this machine has trained already are kept. A damaged checkpoint is removed.
    """
    if not spec.partner or any(_files(folder)):
        return False
    try:
        fetched = artifacts.fetch(CHECKPOINTS, spec.partner)
        found = [plain_file(file, within=fetched) for file in _files(fetched)]
        for file in found:
            shutil.copyfile(file, folder / file.name)
    except (MissingKeyError, FileNotFoundError):  # another driver has just removed it
        return False
    except (CorruptArtifactError, MalformedError) as damage:
        _log.warning("%s; fine-tuning starts from its first epoch", damage.what)
        artifacts.remove(CHECKPOINTS, spec.partner)
        return False
    return bool(found)


def remove_checkpoint(artifacts: Artifacts, spec: StageSpec) -> None:
    """Remove the checkpoint that a completed fine-tuning no longer needs."""
    if spec.partner:
        artifacts.remove(CHECKPOINTS, spec.partner)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.iterdir()) if _FILE.fullmatch(file.name))
