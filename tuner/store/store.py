"""The store: a flat space of keys and bytes, in a folder or on S3, that artifacts, ledger and lease stand on.

A back end is one file (`local.py`, `s3.py`) that keeps this protocol; one contract suite tests them all.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from tuner.errors import TunerError
from tuner.store.address import parse_address

Item = TypeVar("Item")
Result = TypeVar("Result")


class MissingKey(TunerError):
    """A key that the store does not hold."""


class StoreFailure(TunerError):
    """The store cannot do its work now: unreachable, refusing or full. What was asked of it was right."""


class Refused(StoreFailure):
    """The store's server has answered, and says no to a request."""


class NotSupported(Refused):
    """A request that the store's server does not know."""


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

    Every method raises `UsageError` for a key outside the rules of `names.check_key`, and `StoreFailure` when
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
        """The bytes under a key. Raises `MissingKey`."""

    def put(self, key: str, data: bytes) -> None:
        """Create or overwrite; readers see the old bytes or the new ones, never a mixture."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Create; False, and nothing written, when the key exists. Of racing writers one wins."""

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        """Overwrite if the version is still the one `stat` told; the new version, or None for a lost race."""

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
        """Stream a key into a file, which appears complete or not at all. Raises `MissingKey`."""

    def local_path(self, key: str) -> Path | None:
        """The file behind a key where the store is a folder of this machine, else None."""


def open_store(url: str | Path, cache: Path | None = None, *, known: bool = False) -> Store:
    """The store behind a url.

    Args:
        url: a folder, `file:///folder` or `s3://bucket/prefix`. S3 takes endpoint, region and credentials
            from the standard AWS variables and files, never from the url.
        cache: where a remote store keeps what it has downloaded on this node; None: `folders.cache_root`.
        known: whether it has answered somebody before. Then silence is an outage, and waited for; else the
            address is probably wrong.

    Raises:
        UsageError: the url is of another kind, or nearly one of these.
    """
    from tuner.store.local import LocalStore

    found = parse_address(str(url))
    if isinstance(found, Path):
        return LocalStore(found)
    from tuner.store.s3 import S3Store

    return S3Store(found.bucket, found.prefix, cache, known=known)


def for_each(store: Store, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Apply work to each item, as many at a time as the store gains from; results in order."""
    if store.parallel == 1 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(store.parallel, len(items)), thread_name_prefix="store") as pool:
        return list(pool.map(work, items))


def missing_key(key: str, url: str) -> MissingKey:
    """The error for a key that is not there."""
    return MissingKey(f"no {key} in {url}", "a key that was written before", "check the store's address and the name")
