"""Exceptions of a store: a missing key, and a store that cannot serve a request."""

from tuner.base.s3.errors import NotSupportedError, RefusedError, StoreError
from tuner.errors import TunerError

__all__ = ["MissingKeyError", "NotSupportedError", "RefusedError", "StoreError", "missing_key"]


class MissingKeyError(TunerError, KeyError):
    """A key that the store does not hold."""


def missing_key(key: str, url: str) -> MissingKeyError:
    """The error for a missing key."""
    return MissingKeyError(f"no {key} in {url}", "an existing key", "check the store's address and the name")
