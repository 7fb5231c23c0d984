"""Hashes of files, for names and for checks: read in blocks, each of which is a sign of life."""

import hashlib
from pathlib import Path

from tuner.base.pulse import beat

_BLOCK = 2**20  # bytes


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            beat()
    return digest.hexdigest()
