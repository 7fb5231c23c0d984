"""Does a store keep its word on conditional writes? Some S3 servers accept the conditions and ignore them."""

import secrets

from tuner.store.store import NotSupported, Store, for_each

_RACERS = 8


def probe_conditional_put(store: Store) -> bool:
    """Whether of several writers exactly one wins, tried out with a handful of tiny requests.

    Raises:
        TunerError: the store cannot be reached or written to.
    """
    key = f"probes/{secrets.token_hex(8)}"
    try:
        kept = _one_creator_wins(store, key) and _one_successor_wins(store, key)
    except NotSupported:
        kept = False
    store.delete(key)
    return kept


def _one_creator_wins(store: Store, key: str) -> bool:
    claims = [f"{number}".encode() for number in range(_RACERS)]
    return sum(for_each(store, lambda claim: store.put_new(key, claim), claims)) == 1


def _one_successor_wins(store: Store, key: str) -> bool:
    before = store.stat(key)
    if before is None or store.replace(key, b"successor", before.version) is None:
        return False
    return store.replace(key, b"too late", before.version) is None
