"""Hashes of files, for names and for verification; each block read counts as a heartbeat."""

import hashlib
from pathlib import Path

from tuner.base.pulse import beat

_BLOCK = 2**20  # bytes


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's contents, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            beat()
    return digest.hexdigest()
