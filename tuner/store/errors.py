"""Exceptions of a store: a missing key, and a store that cannot serve a request."""

from tuner.errors import TunerError


class MissingKeyError(TunerError, KeyError):
    """A key that the store does not hold."""


class StoreError(TunerError):
    """The store cannot serve a valid request: it is unreachable, refuses access, or is full."""


class RefusedError(StoreError):
    """The store's server answered and refused a request."""


class NotSupportedError(RefusedError):
    """The store's server does not support a request."""


def missing_key(key: str, url: str) -> MissingKeyError:
    """The error for a missing key."""
    return MissingKeyError(f"no {key} in {url}", "an existing key", "check the store's address and the name")
