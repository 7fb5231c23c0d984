"""What can go wrong with a store: a key that is not there, and a store that cannot do its work."""

from tuner.errors import TunerError


class MissingKeyError(TunerError, KeyError):
    """A key that the store does not hold."""


class StoreError(TunerError):
    """The store cannot do its work now: unreachable, refusing or full. What was asked of it was right."""


class RefusedError(StoreError):
    """The store's server has answered, and says no to a request."""


class NotSupportedError(RefusedError):
    """A request that the store's server does not know."""


def missing_key(key: str, url: str) -> MissingKeyError:
    """The error for a key that is not there."""
    return MissingKeyError(
        f"no {key} in {url}", "a key that was written before", "check the store's address and the name"
    )
