"""Opens the store at an address: `open_store`."""

from pathlib import Path

from tuner.errors import UsageError
from tuner.store.address import parse_address
from tuner.store.local import LocalStore
from tuner.store.store import Store


def open_store(url: str | Path, cache: Path | None = None, *, known: bool = False) -> Store:
    """The store at a URL.

    Args:
        url: a folder, `file:///folder` or `s3://bucket/prefix`. S3 takes endpoint, region and credentials
            from the standard AWS variables and files, never from the URL.
        cache: where downloads from a remote store are kept on this node; None: `folders.cache_root`.
        known: whether the store is known to have answered before. If so, no answer means an outage and requests are
            retried; otherwise the address is probably wrong and they fail soon.

    Raises:
        UsageError: the URL is of another kind, a misspelling of one of these, or a file.
    """
    found = parse_address(str(url))
    if isinstance(found, Path):
        store = LocalStore(found)
        if store.root.exists() and not store.root.is_dir():
            raise UsageError(f"the store {store.url} is a file", "a folder, or a new one", "check `store`")
        return store
    from tuner.store.s3 import S3Store

    return S3Store(found.bucket, found.prefix, cache, known=known)
