"""The store in a folder: every write goes to a hidden temporary file that is then renamed atomically.

When a write returns, the data, the file's name and its parent folders are durable on disk.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tuner.base.folders import home_path
from tuner.store.disk import copy_synced, draft, explained, locked, sync_folder, write_synced
from tuner.store.errors import missing_key
from tuner.store.names import check_key, check_prefix
from tuner.store.store import Stat

_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_LOCK_PATIENCE_S = 60.0
"""Seconds to wait for the store's lock, which is only ever held for the time of a rename."""


class LocalStore:
    """A `Store` in a folder, which may be on a network file system that has atomic rename and `flock`.

    Args:
        root: the folder; created by the first write.
    """

    cache: Path | None = None
    parallel = 1

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(home_path(str(root), "store")))  # noqa: PTH100  resolve() would follow links
        self.url = str(self.root)

    def __reduce__(self) -> tuple[type["LocalStore"], tuple[Path]]:
        """Pickle the root only."""
        return LocalStore, (self.root,)

    def __repr__(self) -> str:
        """The root."""
        return f"LocalStore({self.url!r})"

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        path = self.local_path(key)
        with explained("read", path):
            try:
                kind = stat.S_IFMT(path.stat().st_mode)
                if kind not in (stat.S_IFREG, stat.S_IFDIR):  # a pipe would block, a device never end
                    raise OSError(errno.EINVAL, "it is not a regular file")
                return path.read_bytes()
            except FileNotFoundError:
                raise missing_key(key, self.url) from None

    def put(self, key: str, data: bytes) -> None:
        """See `Store.put`."""
        with self._draft(key) as new:
            write_synced(new, data)
            _rename(new, self.local_path(key))

    def put_new(self, key: str, data: bytes) -> bool:
        """See `Store.put_new`."""
        path = self.local_path(key)
        if self.stat(key) is not None:
            return False
        with self._draft(key) as new:
            write_synced(new, data)
            try:
                path.hardlink_to(new)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                return self._move_if_free(new, path)
            sync_folder(path.parent)
        return True

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        """See `Store.replace`."""
        path = self.local_path(key)
        with self._draft(key) as new, self._locked():
            before = self.stat(key)
            if before is None or before.version != version:
                return None
            write_synced(new, data)
            _date_after(path, new)
            _rename(new, path)
            return _version(path.stat())

    def stat(self, key: str) -> Stat | None:
        """See `Store.stat`."""
        path = self.local_path(key)
        with explained("read", path):
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return Stat(found.st_size, _version(found), found.st_mtime_ns / 1e9)

    def now(self) -> float:
        """See `Store.now`; taken from a new file's timestamp, which is set by the machine that serves the disk."""
        with explained("write to", self.root), draft(self.root / "now") as new:
            new.touch()
            return new.stat().st_mtime_ns / 1e9

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        check_prefix(prefix)
        folder, _, _ = prefix.rpartition("/")
        with explained("list", self.root / folder):
            yield from (key for key in _walk(self.root, folder) if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        path = self.local_path(key)
        with explained("delete", path):
            path.unlink(missing_ok=True)

    def upload(self, path: Path, key: str) -> None:
        """See `Store.upload`."""
        with self._draft(key) as new:
            copy_synced(path, new)
            _rename(new, self.local_path(key))

    def download(self, key: str, path: Path) -> None:
        """See `Store.download`."""
        source = self.local_path(key)
        with explained("copy to", path), draft(path) as new:
            try:
                copy_synced(source, new)
            except FileNotFoundError:
                raise missing_key(key, self.url) from None
            new.replace(path)

    def local_path(self, key: str) -> Path:
        """See `Store.local_path`."""
        return self.root / check_key(key)

    @contextmanager
    def _draft(self, key: str) -> Iterator[Path]:
        path = self.local_path(key)
        with explained("write", path), draft(path) as new:
            yield new

    def _move_if_free(self, new: Path, path: Path) -> bool:
        """`put_new` for file systems without hard links (exFAT, some network shares)."""
        with self._locked():
            if path.exists():
                return False
            _rename(new, path)
            return True

    def _locked(self) -> AbstractContextManager[bool]:
        return locked(self.root / ".lock", patience_s=_LOCK_PATIENCE_S)


def _rename(new: Path, path: Path) -> None:
    """Rename a temporary file to its final name, durably."""
    new.replace(path)
    sync_folder(path.parent)


def _walk(root: Path, folder: str) -> Iterator[str]:
    """The keys below a folder, without hidden files."""
    for path, folders, names in os.walk(root / folder, onerror=_raise_unless_missing):
        folders[:] = [name for name in folders if not name.startswith(".")]
        place = Path(path).relative_to(root)
        yield from ((place / name).as_posix() for name in names if not name.startswith("."))


def _raise_unless_missing(error: OSError) -> None:
    """Raise the errors that `os.walk` would ignore, except that a folder has vanished."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _version(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}"


def _date_after(old: Path, new: Path) -> None:
    """Give the new file a later timestamp than the old one, even though timestamps advance only every few ms."""
    earliest_ns = old.stat().st_mtime_ns + 1
    if new.stat().st_mtime_ns < earliest_ns:
        os.utime(new, ns=(earliest_ns, earliest_ns))
