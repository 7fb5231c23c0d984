"""Cached SHA-256 of many files, from which a data set's key is computed.

Digests are cached by the file's stat data, as in git's index, and reused only while size, mtime, ctime and inode are
unchanged; those of objects in a bucket by size and ETag. The key depends only on contents, so it is the same on every
machine. Files are hashed by this process; who hashes objects, `remote_digests` says.
"""

import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from tuner.base.folders import cache_root
from tuner.base.hashing import sha256_file
from tuner.data.place import Place, S3Path
from tuner.data.remote_digests import in_threads, present_tell, present_way
from tuner.data.versions import versions_of
from tuner.data.words import count, some
from tuner.errors import TunerError

_RACY_NS = 2_000_000_000  # a file changed again within the timestamp granularity keeps its stat data
KEPT_EVERY_S = 60.0  # so a process that is killed loses at most the hashes of a minute


class Hasher:
    """Hashes files, caching digests in one JSON file; works without a cache if that cannot be written."""

    def __init__(self, memory: Path | None = None) -> None:
        self.memory = memory or cache_root() / "digests.json"
        self._known: dict[str, list[str]] = {}
        with suppress(OSError, ValueError):
            known = json.loads(self.memory.read_text())
            self._known = known if isinstance(known, dict) else {}

    def each(self, files: Sequence[Place], *, unreadable: str | None = None, unit: str = "files") -> list[str]:
        """SHA-256 of each file in hex, in their order.

        Args:
            files: the files.
            unreadable: replaces the digest of a missing or unreadable file; None: raise an error.
            unit: what they are, for the progress.

        Raises:
            TunerError: files are missing or unreadable; the message names them.
            StoreError: their bucket cannot be read.
        """
        found = self._unchanged(files)
        missing = list(dict.fromkeys(file for file in files if file not in found))
        try:
            found.update(self._told(missing, unit))
        finally:  # what was hashed before an interruption is not hashed again
            self._remember()
        results = [found[file] for file in files]
        bad = [f"{file} ({error})" for file, error in zip(files, results, strict=True) if isinstance(error, OSError)]
        if bad and unreadable is None:
            raise TunerError(
                f"{count(len(bad), 'file')} cannot be read: {some(bad)}",
                "readable files",
                "restore them, or correct the data set's listing",
            )
        return [digest if isinstance(digest, str) else str(unreadable) for digest in results]

    def digests(self, files: Sequence[Path], *, unreadable: str | None = None) -> dict[Path, str]:
        """As `each`, by file."""
        return dict(zip(files, self.each(files, unreadable=unreadable), strict=True))

    def digest(self, file: Path) -> str:
        """SHA-256 of one file in hex."""
        return self.each([file])[0]

    def _unchanged(self, files: Sequence[Place]) -> dict[Place, str | OSError]:
        """Digests of the objects whose version is the one that was hashed."""
        versions = versions_of([file for file in files if isinstance(file, S3Path) and str(file) in self._known])
        known = ((file, version, self._known[str(file)]) for file, version in versions.items())
        return {file: digest for file, version, (hashed, digest) in known if version == hashed}

    def _told(self, files: Sequence[Place], unit: str) -> Iterator[tuple[Place, str | OSError]]:
        """The digest of each file, or why there is none, as they come; progress is told, and kept now and then."""
        tell, next_s = present_tell(), time.monotonic() + KEPT_EVERY_S
        if files:
            tell(0, len(files), unit)
        for done, answer in enumerate(self._hashed(files), 1):
            tell(done, len(files), unit)
            if time.monotonic() > next_s:
                self._remember()
                next_s = time.monotonic() + KEPT_EVERY_S
            yield answer

    def _hashed(self, files: Sequence[Place]) -> Iterator[tuple[Place, str | OSError]]:
        local = [file for file in files if not isinstance(file, S3Path)]
        yield from in_threads(self._of_file, local, min(16, 2 * (os.cpu_count() or 1)))
        if remote := [file for file in files if isinstance(file, S3Path)]:
            with closing(present_way()(remote)) as answers:
                for file, answer in answers:
                    if not isinstance(answer, OSError):
                        self._known[str(file)] = list(answer)
                    yield file, answer if isinstance(answer, OSError) else answer[1]

    def _of_file(self, file: Path) -> str | OSError:
        try:
            return self._digest(file)
        except OSError as error:
            return error

    def _digest(self, file: Path) -> str:
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
            draft.write_text(json.dumps(dict(self._known)))
            draft.replace(self.memory)
