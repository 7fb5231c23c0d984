"""Does a store keep its word on conditional writes? Some S3 servers accept the conditions and ignore them."""

import contextlib
import secrets

from tuner.store.errors import NotSupportedError, RefusedError, StoreError
from tuner.store.store import Store, for_each

_RACERS = 8


def probe_conditional_put(store: Store) -> bool:
    """Whether of several writers exactly one wins, tried out with a handful of tiny requests.

    Raises:
        TunerError: the store cannot be reached or written to.
    """
    return not _trouble(store)


def require_conditional_put(store: Store) -> None:
    """Refuse a store in which two drivers could both believe that they hold a search.

    Raises:
        StoreError: it does not keep conditions.
        TunerError: the store cannot be reached or written to.
    """
    if trouble := _trouble(store):
        raise StoreError(
            f"{store.url} cannot hold a search: {trouble}",
            "a store that keeps conditional writes (If-None-Match, If-Match), so that a search has one driver",
            "use a folder, or another S3 server: Amazon S3, MinIO, SeaweedFS and Ceph keep them; gateways such as "
            "JuiceFS and rclone do not",
        )


def _trouble(store: Store) -> str:
    """What is wrong with the store's conditional writes; empty if nothing."""
    key = f"probes/{secrets.token_hex(8)}"
    try:
        try:
            return _broken_word(store, key)
        except RefusedError as refusal:
            if not isinstance(refusal, NotSupportedError):
                store.put(key, b"without a condition")  # refused as well? Then conditions are not the trouble
            return f"it refuses conditional writes ({refusal.what})"
    finally:
        with contextlib.suppress(StoreError):
            store.delete(key)


def _broken_word(store: Store, key: str) -> str:
    claims = [f"{number}".encode() for number in range(_RACERS)]
    winners = sum(for_each(store, lambda claim: store.put_new(key, claim), claims))
    if winners != 1:
        return f"it ignores conditional writes (of {_RACERS} writers of one new key it told {winners} that they won)"
    before = store.stat(key)
    if before is None or store.replace(key, b"successor", before.version) is None:
        return "it refuses to replace a key whose version is the one it told"
    if store.replace(key, b"too late", before.version) is not None:
        return "it ignores conditional writes (a key was replaced by its old version)"
    return ""
