"""Hashes objects in buckets: in this process, or as a block around it says, such as on the nodes of a cluster."""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tuner.base.pulse import beat
from tuner.base.steps import Step
from tuner.data.place import S3Path

PARALLEL = 32  # requests of a process at a time: most of the time is spent waiting
AT_ONCE = 4096  # files that are queued; a million queued ones would take gigabytes

Of = TypeVar("Of")
Answer = TypeVar("Answer")

Digested = tuple[str, str] | OSError
"""Version (size and ETag) and SHA-256 in hex of an object, or why there is none."""

Way = Callable[[Sequence[S3Path]], Generator[tuple[S3Path, Digested]]]
"""Fetches and hashes objects; gives each of them with its answer, in any order. Raises TunerError."""

Tell = Callable[[int, int, str], None]
"""Receives (done, total, "images"): first with 0 done, last with all."""


def digested_here(files: Sequence[S3Path]) -> Generator[tuple[S3Path, Digested]]:
    """Fetches and hashes objects in this process, many at a time; a `Way`.

    Raises:
        StoreError: their bucket cannot be read.
    """
    yield from in_threads(_digested, files, PARALLEL)


def in_threads(do: Callable[[Of], Answer], files: Sequence[Of], n: int) -> Iterator[tuple[Of, Answer]]:
    """Does something with each file, `n` at a time; gives each with its answer, in their order."""
    with ThreadPoolExecutor(n) as pool:
        for start in range(0, len(files), AT_ONCE):
            some = files[start : start + AT_ONCE]
            yield from zip(some, pool.map(do, some), strict=True)


def _digested(file: S3Path) -> Digested:
    try:
        contents, version = file.read_version()
    except OSError as error:
        return error
    beat()
    return f"{len(contents)} {version}", hashlib.sha256(contents).hexdigest()


_WAY: ContextVar[Way] = ContextVar("way", default=digested_here)
_TELL: ContextVar[Tell] = ContextVar("tell", default=lambda done, total, unit: None)


@contextmanager
def digested_by(way: Way) -> Iterator[None]:
    """For a block, in this thread: objects are hashed in this way."""
    before = _WAY.set(way)
    try:
        yield
    finally:
        _WAY.reset(before)


@contextmanager
def digests_told(step: Step) -> Iterator[None]:
    """For a block, in this thread: whoever hashes files tells it as progress of this step."""

    def tell(done: int, total: int, unit: str) -> None:
        if done == total:
            step.at("")
        else:
            (step.count if done else step.recount)(done, total, unit, "hashing")

    before = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(before)


def present_way() -> Way:
    """How objects are hashed here and now."""
    return _WAY.get()


def present_tell() -> Tell:
    """Who is told of it."""
    return _TELL.get()
