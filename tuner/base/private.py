"""Private folders for a process's temporary files; those orphaned by killed processes are removed at the next start.

Each folder holds a lock that the kernel releases when its process ends, so folders of running processes are never
removed, nor those of other users or programs. The folder's name is random, so no other user can prepare it.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tuner.base.environment import environment
from tuner.errors import UsageError

PREFIX = "qpmt-"
LOCK = "lock"
INNER = "t"
DRAFTS = "drafts"
ROOM_BYTES = 20_000_000
"""Free space required for Ray's logs and the files of a stage."""
WISHES = ("TMPDIR", "TEMP", "TMP")  # in the order of Python's `tempfile`
ELSEWHERE = ("/tmp", "/var/tmp")
GIVEN = "QPM_TUNER_GIVEN_TMPDIR"
HALF_MADE_S = 3600.0
LATE_TRIES = 20  # Ray's processes may still be writing


class NoPlaceError(UsageError):
    """No folder is suitable for temporary files."""


def choose_root(longest: int | None = None, wish: str = "") -> tuple[Path, list[str]]:
    """The first location that is suitable for a private folder, and what is wrong with those tried before it.

    Args:
        longest: maximum length of the private folder's path in bytes; None: no limit.
        wish: an environment variable that may name a location and takes precedence over TMPDIR.

    Raises:
        NoPlaceError: no location is suitable; the message says why.
    """
    wrong: list[str] = []
    wishes = [os.environ.get(name, "") for name in filter(None, (wish, *WISHES))]
    if _current:  # beside the current one, inside which the path would get too long
        wishes = [str(_current[-1].parents[1]) if place == str(_current[-1]) else place for place in wishes]
    for place in dict.fromkeys([*filter(None, wishes), *ELSEWHERE]):
        if (reason := _unfit(Path(place), longest)) is None:
            return Path(place), wrong
        wrong.append(f"{place}: {reason}")
    raise NoPlaceError(
        f"no suitable folder for temporary files ({'; '.join(wrong)})",
        "a writable folder with free space and a short path, in which other users cannot rename your files",
        "set TMPDIR to one, or free some space in /tmp",
    )


@contextlib.contextmanager
def private_folder(longest: int | None = None, wish: str = "") -> Iterator[Path]:
    """A new folder that only this user can access, removed at the end; also removes orphaned folders beside it.

    Args:
        longest: maximum length of its path in bytes; None: no limit.
        wish: an environment variable that may name its location and takes precedence over TMPDIR.

    Raises:
        NoPlaceError: no location is suitable.
    """
    root, _ = choose_root(longest, wish)
    remove_leftovers(root)
    outer, lock = _locked_folder(root)
    try:
        inner = outer / INNER
        inner.mkdir()
        inner.chmod(0o700)
        yield inner
    finally:
        for _ in range(LATE_TRIES):
            if _removed(outer):
                break
            time.sleep(0.1)
        os.close(lock)
        remove_leftovers(root)


@contextlib.contextmanager
def private_temporaries() -> Iterator[Path]:
    """For the duration of the block, temporary files of this process and its children go to a private folder.

    A nested block uses the folder of the outer one.
    """
    if _current:
        yield _current[-1]
        return
    with private_folder() as folder:
        _current.append(folder)
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        given = {GIVEN: os.environ.get(GIVEN, os.environ.get("TMPDIR", ""))}
        try:
            with environment({"TMPDIR": str(folder), **given}):
                yield folder
        finally:
            tempfile.tempdir = before
            _current.pop()


@contextlib.contextmanager
def noted(draft: Path) -> Iterator[None]:
    """Record a temporary file outside the private folder, so that it is removed too if the process is killed."""
    home = Path(tempfile.gettempdir()).parent
    if not home.name.startswith(PREFIX):
        yield
        return
    note = home / DRAFTS / draft.name
    with contextlib.suppress(OSError):  # the folder of a dead process may be gone
        note.parent.mkdir(exist_ok=True)
        note.symlink_to(draft.absolute())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()


def _remove_drafts(folder: Path) -> None:
    """Remove the temporary files that a dead process had recorded elsewhere."""
    for note in (folder / DRAFTS).glob(".*"):
        with contextlib.suppress(OSError):
            draft = note.readlink()
            if draft.name != note.name or draft.lstat().st_uid != os.getuid():
                continue
            if draft.is_dir() and not draft.is_symlink():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink()


_current: list[Path] = []


def given_temporaries() -> str:
    """TMPDIR as the user set it, even while this process uses its own; empty if not set."""
    return os.environ.get(GIVEN, os.environ.get("TMPDIR", ""))


def remove_leftovers(root: Path) -> list[Path]:
    """Remove the private folders of this user's dead processes; returns the removed folders."""
    removed = []
    with contextlib.suppress(OSError):
        for folder in root.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):  # another process may be removing it too
                if is_mine(folder.lstat()) and _remove_if_dead(folder):
                    removed.append(folder)
    return removed


def _remove_if_dead(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # just being created, or never completed
        if time.time() - folder.lstat().st_mtime > HALF_MADE_S:
            folder.rmdir()
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove_drafts(folder)
        return _removed(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


def _removed(folder: Path) -> bool:
    """Remove a folder whose lock is held; the lock file goes last, so that an interrupted removal is repeated."""
    shutil.rmtree(folder / INNER, ignore_errors=True)
    if (folder / INNER).exists():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _locked_folder(root: Path) -> tuple[Path, int]:
    """A new private folder, and its open lock, which marks the process as alive."""
    while True:
        folder = root / f"{PREFIX}{secrets.token_hex(4)}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        folder.chmod(0o700)  # whatever the umask says
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.fchmod(lock, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = (folder / LOCK).exists()
        except BlockingIOError:
            mine = False
        except OSError:  # a file system without locks, on which nothing is ever removed
            mine = True
        if mine:
            return folder, lock
        os.close(lock)  # another process considered it orphaned


def is_mine(found: os.stat_result) -> bool:
    """Whether it is a folder of this user, without access for others."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _unfit(root: Path, longest: int | None) -> str | None:
    """Why a folder is not suitable for private folders; None if it is."""
    if not root.is_absolute():
        return "not an absolute path"
    beneath = len(f"/{PREFIX}12345678/{INNER}")
    if longest is not None and len(os.fsencode(root)) + beneath > longest:
        return f"its path is longer than {longest - beneath} bytes, the limit that Ray's socket paths impose"
    try:
        if (stranger := _tampered(root.resolve(strict=True))) is not None:
            return stranger
        if shutil.disk_usage(root).free < ROOM_BYTES:
            return f"less than {ROOM_BYTES / 1e6:.0f} MB free"
        probe = root / f"{PREFIX}{secrets.token_hex(4)}"
        probe.mkdir(mode=0o700)
        probe.rmdir()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _tampered(root: Path) -> str | None:
    """Why another user could replace one of our folders; None if no other user can."""
    for place in (root, *root.parents):
        found = place.stat()
        if found.st_uid not in (0, os.getuid()) and place.parent != place:
            return f"{place} belongs to another user"
        if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
            return f"other users can rename files in {place}"
    return None
