"""The `Store` protocol: a flat key-value store of bytes, in a folder or on S3, below artifacts, ledger and lease.

Each backend is one file (`local.py`, `s3.py`) that implements it; one contract test suite covers all backends.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Stat:
    """Metadata of a key, available without reading its value."""

    size: int
    """Bytes."""
    version: str
    """Opaque; differs after every `replace`."""
    modified: float
    """Seconds since the epoch by the store's own clock, comparable with `Store.now`."""


class Store(Protocol):
    """A store of small and large byte strings by key; thread-safe, picklable by its URL.

    Every method raises `UsageError` for a key that `names.check_key` refuses, and `StoreError` if the store cannot
    serve the request (unreachable, refused, full). Data written earlier stay intact.
    """

    @property
    def url(self) -> str:
        """Address for `open_store`, valid on any machine that can reach the store."""

    @property
    def cache(self) -> Path | None:
        """Where its downloads are kept on this node, if set explicitly."""

    @property
    def parallel(self) -> int:
        """Useful number of concurrent requests."""

    def get(self, key: str) -> bytes:
        """The bytes under a key. Raises `MissingKeyError`."""

    def put(self, key: str, data: bytes) -> None:
        """Create or overwrite atomically: readers see the old bytes or the new ones, never a mixture."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Create; returns False and writes nothing if the key exists. Exactly one concurrent writer succeeds."""

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        """Overwrite if the version is unchanged since `stat`; the new version, or None if another writer was first."""

    def stat(self, key: str) -> Stat | None:
        """Size, version and time of a key, or None if it is missing."""

    def now(self) -> float:
        """The time of the store's own clock, seconds since the epoch, comparable with `Stat.modified`."""

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with a prefix, in no particular order: S3 servers differ."""

    def delete(self, key: str) -> None:
        """Remove a key; a missing key is not an error."""

    def upload(self, path: Path, key: str) -> None:
        """Stream a file into the store."""

    def download(self, key: str, path: Path) -> None:
        """Stream a key into a file, which appears complete or not at all. Raises `MissingKeyError`."""

    def local_path(self, key: str) -> Path | None:
        """The path of a key if the store is a folder of this machine, otherwise None."""


def for_each(store: Store, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Apply `work` to each item, `store.parallel` at a time; results in order."""
    if store.parallel == 1 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(store.parallel, len(items)), thread_name_prefix="store") as pool:
        return list(pool.map(work, items))
