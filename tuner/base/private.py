"""A process's temporary files in a folder that only its user may enter; a killed process's go at the next start.

A lock that the system lets go of at a process's death tells whether it lives. So nothing of a living process is
removed, nothing of another user or program, and nobody can prepare the folder: its name is drawn.
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
"""What Ray's logs and the files of a stage may take."""
WISHES = ("TMPDIR", "TEMP", "TMP")  # as Python's own `tempfile` asks
ELSEWHERE = ("/tmp", "/var/tmp")
GIVEN = "QPM_TUNER_GIVEN_TMPDIR"
HALF_MADE_S = 3600.0
LATE_TRIES = 20  # Ray's processes may still write for a moment


class NoPlaceError(UsageError):
    """There is no folder for temporary files."""


def choose_root(longest: int | None = None, wish: str = "") -> tuple[Path, list[str]]:
    """The first place that can hold a private folder, and what is wrong with those before it.

    Args:
        longest: bytes that the private folder's path may have; None for any.
        wish: a variable that may name a place, before TMPDIR is asked.

    Raises:
        NoPlaceError: what is wrong with each is in the message.
    """
    wrong: list[str] = []
    wishes = [os.environ.get(name, "") for name in filter(None, (wish, *WISHES))]
    if _current:  # beside that one, whose path has no room for another
        wishes = [str(_current[-1].parents[1]) if place == str(_current[-1]) else place for place in wishes]
    for place in dict.fromkeys([*filter(None, wishes), *ELSEWHERE]):
        if (reason := _unfit(Path(place), longest)) is None:
            return Path(place), wrong
        wrong.append(f"{place}: {reason}")
    raise NoPlaceError(
        f"there is no folder for temporary files ({'; '.join(wrong)})",
        "a folder that can be written, with some room and a short path, in which only you can rename your files",
        "set TMPDIR to one, or free some space in /tmp",
    )


@contextlib.contextmanager
def private_folder(longest: int | None = None, wish: str = "") -> Iterator[Path]:
    """A new folder that nobody else can reach, and that is removed in the end; leftovers beside it are removed, too.

    Args:
        longest: bytes that its path may have; None for any.
        wish: a variable that may name the place where it is made, before TMPDIR is asked.

    Raises:
        NoPlaceError: none can be made.
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
    """While the block lasts, all temporary files of this process, and of those that it starts, are in such a folder.

    Within another such block it is that one's.
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
    """While a draft lies outside the private folder, note there where: if the process is killed, it goes as well."""
    home = Path(tempfile.gettempdir()).parent
    if not home.name.startswith(PREFIX):
        yield
        return
    note = home / DRAFTS / draft.name
    with contextlib.suppress(OSError):  # the folder of a driver that has died
        note.parent.mkdir(exist_ok=True)
        note.symlink_to(draft.absolute())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()


def _remove_drafts(folder: Path) -> None:
    """Remove what a dead process was writing elsewhere, by its notes."""
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
    """TMPDIR as the user has it, also while this process has one of its own; empty: not set."""
    return os.environ.get(GIVEN, os.environ.get("TMPDIR", ""))


def remove_leftovers(root: Path) -> list[Path]:
    """Remove the private folders of this user's processes that have died; returns them."""
    removed = []
    with contextlib.suppress(OSError):
        for folder in root.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):  # it is being removed by another process too
                if is_mine(folder.lstat()) and _remove_if_dead(folder):
                    removed.append(folder)
    return removed


def _remove_if_dead(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # being made just now, or never finished
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
    """Remove a folder whose lock is held; the lock comes last, or nobody would try again."""
    shutil.rmtree(folder / INNER, ignore_errors=True)
    if (folder / INNER).exists():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _locked_folder(root: Path) -> tuple[Path, int]:
    """A new private folder, and the open lock that says that its process lives."""
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
        except OSError:  # a file system without locks, on which nobody removes anything
            mine = True
        if mine:
            return folder, lock
        os.close(lock)  # another process took it for a dead one's


def is_mine(found: os.stat_result) -> bool:
    """Whether something is a folder of this user, which nobody else may enter."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _unfit(root: Path, longest: int | None) -> str | None:
    """Why a folder cannot hold private ones; None: it can."""
    if not root.is_absolute():
        return "not a whole path"
    beneath = len(f"/{PREFIX}12345678/{INNER}")
    if longest is not None and len(os.fsencode(root)) + beneath > longest:
        return f"its path is longer than {longest - beneath} bytes, which is what Ray's sockets leave"
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
    """Why somebody else could put a folder of their own in the place of one of ours; None: nobody can."""
    for place in (root, *root.parents):
        found = place.stat()
        if found.st_uid not in (0, os.getuid()) and place.parent != place:
            return f"{place} is another user's"
        if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
            return f"others can rename what is in {place}"
    return None
