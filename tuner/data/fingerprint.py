"""Cached SHA-256 of many files, from which a data set's key is computed.

Digests are cached by the file's stat data, as in git's index, and reused only while size, mtime, ctime and inode are
unchanged. The key depends only on contents, so it is the same on every machine.
"""

import json
import os
import stat
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tuner.base.folders import cache_root
from tuner.base.hashing import sha256_file
from tuner.data.words import count, some
from tuner.errors import TunerError

_RACY_NS = 2_000_000_000  # a file changed again within the timestamp granularity keeps its stat data


class Hasher:
    """Hashes files, caching digests in one JSON file; works without a cache if that cannot be written."""

    def __init__(self, memory: Path | None = None) -> None:
        self.memory = memory or cache_root() / "digests.json"
        self._known: dict[str, list[str]] = {}
        with suppress(OSError, ValueError):
            known = json.loads(self.memory.read_text())
            self._known = known if isinstance(known, dict) else {}

    def digests(self, files: Sequence[Path], *, unreadable: str | None = None) -> dict[Path, str]:
        """SHA-256 of each file in hex.

        Args:
            files: the files.
            unreadable: replaces the digest of a missing or unreadable file; None: raise an error.

        Raises:
            TunerError: files are missing or unreadable; the message names them.
        """
        with ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1))) as pool:
            results = dict(zip(files, pool.map(self._digest, files), strict=True))
        bad = [f"{path} ({error})" for path, error in results.items() if isinstance(error, OSError)]
        if bad and unreadable is None:
            raise TunerError(
                f"{count(len(bad), 'file')} cannot be read: {some(bad)}",
                "readable files",
                "restore them, or correct the data set's listing",
            )
        self._remember()
        return {path: digest if isinstance(digest, str) else str(unreadable) for path, digest in results.items()}

    def digest(self, file: Path) -> str:
        """SHA-256 of one file in hex."""
        return self.digests([file])[file]

    def _digest(self, file: Path) -> str | OSError:
        try:
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):  # reading a pipe would block
                return OSError("not a file")
            stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
            name = str(file.absolute())
            known = self._known.get(name)
            if known and known[0] == stamp:
                return known[1]
            digest = sha256_file(file)
        except OSError as error:
            return error
        if time.time_ns() - status.st_ctime_ns > _RACY_NS:
            self._known[name] = [stamp, digest]
        return digest

    def _remember(self) -> None:
        with suppress(OSError):  # only a cache: the digests are returned anyway
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            draft = self.memory.with_name(f"{self.memory.name}.{os.getpid()}")
            draft.write_text(json.dumps(self._known))
            draft.replace(self.memory)
