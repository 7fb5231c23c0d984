"""Checks whether Ray can start on this machine, for every start of Ray and for the doctor.

Each check takes milliseconds and names the cause; Ray would time out after minutes, or fail with a traceback.
"""

import contextlib
import os
import resource
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from tuner.base.folders import cache_root, made_folder, unusable
from tuner.base.private import choose_root
from tuner.errors import TunerError, UsageError
from tuner.search.session.address import LOCAL_RAY, ray_address, require_cluster
from tuner.store.cache import default_limit_bytes

FOLDER_BYTES = 107 - len("/session_2026-01-31_12-30-59_123456_4194304/sockets/plasma_store")
"""The longest path of Ray's folder that leaves room for its socket names."""
OBJECT_BYTES = 100 * 2**20
"""Size of Ray's object store; small, because stages exchange keys of the store, not objects."""
SHARED_MEMORY = Path("/dev/shm")  # Ray's choice; its files have no name there
OPEN_FILES = 128 + 16 * (os.cpu_count() or 1)
"""Ray's busiest process has about 70 files open for two workers, and a few more for each further worker."""
PROCESSES = 200 + 40 * (os.cpu_count() or 1)
"""Threads, which count as processes: Ray itself has about 230, and each worker about 25 more."""
FILE_BYTES = 2**30
"""Enough for Ray's objects and for a feature bank of a few hundred images."""


def require_surroundings() -> str:
    """The address of Ray, `LOCAL_RAY` or HOST:PORT, after all checks have passed.

    Raises:
        TunerError: a check failed.
    """
    address = ray_address()
    cache_folder()
    if address != LOCAL_RAY:
        choose_root()
        return require_cluster(address)
    for _, check in OF_A_START:
        check()
    return address


def cache_folder() -> str:
    """The folder for downloads and checkpoints: is it writable?"""
    folder = made_folder(cache_root() / "scratch")
    probe = folder / f".probe-{secrets.token_hex(8)}"
    try:
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        raise unusable(folder, error.strerror or str(error)) from None
    return f"{cache_root()}, up to {default_limit_bytes() / 1e9:.0f} GB"


def temporary_files() -> str:
    """The temporary folder: can a private one be created, with a path short enough for Ray's sockets?"""
    root, wrong = choose_root()
    rays, wrong_for_ray = choose_root(FOLDER_BYTES, "RAY_TMPDIR")
    unfit = "".join(f"; not {reason}" for reason in dict.fromkeys([*wrong, *wrong_for_ray]))
    return f"in {root}" + (f", Ray's in {rays}" if rays != root else "") + unfit


def open_files() -> str:
    """The limit on open files and connections of a process; raised as far as the user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < OPEN_FILES:  # below 0: unlimited
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard if hard < 0 else max(hard, OPEN_FILES)))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < OPEN_FILES:
        raise UsageError(
            f"a process may have at most {soft} files and connections open (ulimit -n)",
            f"at least {OPEN_FILES}, which Ray's processes need",
            f"raise the limit: ulimit -n {OPEN_FILES}, or LimitNOFILE= or nofile where this session is configured",
        )
    return f"{soft} at once"


def processes() -> str:
    """The limit on the user's processes and threads; raised as far as the user may. Root has no limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if os.geteuid() == 0 or soft < 0:
        return "unlimited"
    needed = (used := _threads()) + PROCESSES
    if soft < needed and soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
        soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if 0 <= soft < needed:
        raise UsageError(
            f"this user may have at most {soft} processes and threads (ulimit -u), and has {used}",
            f"at least {PROCESSES} more, which Ray's processes need",
            f"raise the limit: ulimit -u {needed}, or TasksMax= or nproc where this session is configured",
        )
    return f"{soft} at once" if soft >= 0 else "unlimited"


def _threads() -> int:
    """The number of this user's threads, as far as visible."""
    found = 0
    with contextlib.suppress(OSError):
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
                if process.stat().st_uid == os.getuid():
                    found += int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[17])
    return found


def file_size() -> str:
    """The limit on the size of a file."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return "unlimited"
    if limit < FILE_BYTES:
        raise UsageError(
            f"a file may have at most {limit / 1e6:.1f} MB (ulimit -f)",
            f"at least {FILE_BYTES / 1e6:,.0f} MB, for Ray's objects and the features",
            "lift the limit: ulimit -f unlimited",
        )
    return f"up to {limit / 1e9:.1f} GB"


def loopback() -> str:
    """The loopback network."""
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()[:2], timeout=5),
        ):
            return "127.0.0.1 answers"
    except OSError as error:
        raise TunerError(
            f"this machine cannot reach itself at 127.0.0.1: {error.strerror or error}",
            "a loopback interface that is up, which Ray's processes use to communicate",
            "bring it up (ip link set lo up), or start the container with a network",
        ) from None


def shared_memory() -> str:
    """Where Ray keeps its objects."""
    reason = memory_trouble()
    return f"in {SHARED_MEMORY}" if reason is None else f"{reason}; Ray's objects go to its temporary folder"


def memory_trouble() -> str | None:
    """Why Ray cannot keep its objects in shared memory; None: it can. A folder on disk works too, but slower."""
    try:
        if not os.access(SHARED_MEMORY, os.W_OK | os.X_OK):
            return f"{SHARED_MEMORY} cannot be written"
        found = os.statvfs(SHARED_MEMORY)
        free = found.f_bavail * found.f_frsize
    except OSError as error:
        return f"{SHARED_MEMORY}: {error.strerror}"
    return None if free > OBJECT_BYTES else f"{SHARED_MEMORY} has {free / 1e6:.0f} MB free of {OBJECT_BYTES / 1e6:.0f}"


OF_A_START: tuple[tuple[str, Callable[[], str]], ...] = (
    ("temporary", temporary_files),
    ("open files", open_files),
    ("processes", processes),
    ("file size", file_size),
    ("loopback", loopback),
    ("objects", shared_memory),
)
"""The requirements of a Ray started here, name and check; each returns what it found, or raises a `TunerError`."""
