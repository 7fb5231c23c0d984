"""Tests whether a store honours conditional writes. Some S3 servers accept the conditions and ignore them."""

import contextlib
import secrets

from tuner.store.errors import NotSupportedError, RefusedError, StoreError
from tuner.store.store import Store, for_each

_RACERS = 8


def probe_conditional_put(store: Store) -> bool:
    """Whether exactly one of several concurrent writers succeeds, tested with a few tiny requests.

    Raises:
        TunerError: the store cannot be reached or written to.
    """
    return not _trouble(store)


def require_conditional_put(store: Store) -> None:
    """Refuse a store in which two drivers could hold the same search.

    Raises:
        StoreError: it does not honour conditional writes.
        TunerError: the store cannot be reached or written to.
    """
    if trouble := _trouble(store):
        raise StoreError(
            f"{store.url} cannot hold a search: {trouble}",
            "a store that honours conditional writes (If-None-Match, If-Match), so that a search has one driver",
            "use a folder, or another S3 server: Amazon S3, MinIO, SeaweedFS and Ceph honour them; gateways such as "
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
                store.put(key, b"without a condition")  # if this is refused too, the condition is not the problem
            return f"it refuses conditional writes ({refusal.what})"
    finally:
        with contextlib.suppress(StoreError):
            store.delete(key)


def _broken_word(store: Store, key: str) -> str:
    claims = [f"{number}".encode() for number in range(_RACERS)]
    winners = sum(for_each(store, lambda claim: store.put_new(key, claim), claims))
    if winners != 1:
        return f"it ignores conditional writes ({winners} of {_RACERS} concurrent writers of a new key succeeded)"
    before = store.stat(key)
    if before is None or store.replace(key, b"successor", before.version) is None:
        return "it refuses to replace a key whose version has not changed"
    if store.replace(key, b"too late", before.version) is not None:
        return "it ignores conditional writes (a key was replaced although its version had changed)"
    return ""
