"""The store: a flat space of keys and bytes, in a folder or on S3, that artifacts, ledger and lease stand on.

A back end is one file (`local.py`, `s3.py`) that keeps this protocol; one contract suite tests them all.
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
    """What a store knows of a key without reading it."""

    size: int
    """Bytes."""
    version: str
    """Opaque; differs after every `replace`."""
    modified: float
    """Seconds since the epoch by the store's own clock, comparable with `Store.now`."""


class Store(Protocol):
    """A store of small and large byte strings by key; usable from many threads, picklable by its url.

    Every method raises `UsageError` for a key outside the rules of `names.check_key`, and `StoreError` when
    the store cannot do its work (unreachable, refused, full); what was written before then stays whole.
    """

    @property
    def url(self) -> str:
        """What `open_store` opens again, on any machine that can reach it."""

    @property
    def cache(self) -> Path | None:
        """Where its downloads are kept on this node, if somebody said so."""

    @property
    def parallel(self) -> int:
        """How many requests at a time it gains from."""

    def get(self, key: str) -> bytes:
        """The bytes under a key. Raises `MissingKeyError`."""

    def put(self, key: str, data: bytes) -> None:
        """Create or overwrite; readers see the old bytes or the new ones, never a mixture."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Create; False, and nothing written, when the key exists. Of several at once, exactly one succeeds."""

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        """Overwrite if the version is still the one `stat` told; the new version, or None if somebody came first."""

    def stat(self, key: str) -> Stat | None:
        """Size, version and time of a key, None when it is missing."""

    def now(self) -> float:
        """The time by the store's own clock, seconds since the epoch, to be compared with `Stat.modified`."""

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with a prefix, in no particular order: S3 servers differ in theirs."""

    def delete(self, key: str) -> None:
        """Remove a key; one that is missing is no error."""

    def upload(self, path: Path, key: str) -> None:
        """Stream a file into the store."""

    def download(self, key: str, path: Path) -> None:
        """Stream a key into a file, which appears complete or not at all. Raises `MissingKeyError`."""

    def local_path(self, key: str) -> Path | None:
        """The file behind a key where the store is a folder of this machine, else None."""


def for_each(store: Store, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Apply work to each item, as many at a time as the store gains from; results in order."""
    if store.parallel == 1 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(store.parallel, len(items)), thread_name_prefix="store") as pool:
        return list(pool.map(work, items))
