"""Exceptions of an object store that cannot serve a request."""

from tuner.errors import TunerError


class StoreError(TunerError):
    """The store cannot serve a valid request: it is unreachable, refuses access, or is full."""


class RefusedError(StoreError):
    """The store's server answered and refused a request."""


class NotSupportedError(RefusedError):
    """The store's server does not support a request."""
