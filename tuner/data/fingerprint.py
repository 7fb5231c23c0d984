"""Cached SHA-256 of many files, from which a data set's key is computed.

Digests are cached by the file's stat data, as in git's index, and reused only while size, mtime, ctime and inode are
unchanged; those of objects in a bucket by size and ETag. The key depends only on contents, so it is the same on every
machine.
"""

import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tuner.base.folders import cache_root
from tuner.base.hashing import sha256_file
from tuner.base.pulse import beat
from tuner.data.place import Place, S3Path
from tuner.data.versions import versions_of
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

    def each(self, files: Sequence[Place], *, unreadable: str | None = None) -> list[str]:
        """SHA-256 of each file in hex, in their order.

        Args:
            files: the files.
            unreadable: replaces the digest of a missing or unreadable file; None: raise an error.

        Raises:
            TunerError: files are missing or unreadable; the message names them.
            StoreError: their bucket cannot be read.
        """
        versions = versions_of([f for f in files if isinstance(f, S3Path) and str(f) in self._known])
        parallel = 32 if any(isinstance(file, S3Path) for file in files) else min(16, 2 * (os.cpu_count() or 1))
        with ThreadPoolExecutor(parallel) as pool:
            results = list(pool.map(lambda file: self._digest(file, versions), files))
        bad = [f"{file} ({error})" for file, error in zip(files, results, strict=True) if isinstance(error, OSError)]
        if bad and unreadable is None:
            raise TunerError(
                f"{count(len(bad), 'file')} cannot be read: {some(bad)}",
                "readable files",
                "restore them, or correct the data set's listing",
            )
        self._remember()
        return [digest if isinstance(digest, str) else str(unreadable) for digest in results]

    def digests(self, files: Sequence[Path], *, unreadable: str | None = None) -> dict[Path, str]:
        """As `each`, by file."""
        return dict(zip(files, self.each(files, unreadable=unreadable), strict=True))

    def digest(self, file: Path) -> str:
        """SHA-256 of one file in hex."""
        return self.each([file])[0]

    def _digest(self, file: Place, versions: Mapping[S3Path, str]) -> str | OSError:
        try:
            return self._of_object(file, versions.get(file, "")) if isinstance(file, S3Path) else self._of_file(file)
        except OSError as error:
            return error

    def _of_object(self, file: S3Path, version: str) -> str:
        known = self._known.get(str(file))
        if known and version and known[0] == version:
            return known[1]
        contents, version = file.read_version()
        digest = hashlib.sha256(contents).hexdigest()
        beat()
        self._known[str(file)] = [f"{len(contents)} {version}", digest]
        return digest

    def _of_file(self, file: Path) -> str:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would block
            raise OSError("not a file")
        stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
        name = str(file.absolute())
        known = self._known.get(name)
        if known and known[0] == stamp:
            return known[1]
        digest = sha256_file(file)
        if time.time_ns() - status.st_ctime_ns > _RACY_NS:
            self._known[name] = [stamp, digest]
        return digest

    def _remember(self) -> None:
        with suppress(OSError):  # only a cache: the digests are returned anyway
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            draft = self.memory.with_name(f"{self.memory.name}.{os.getpid()}")
            draft.write_text(json.dumps(self._known))
            draft.replace(self.memory)
