"""Errors of the estimator, in three parts, and of the types that scikit-learn's users catch."""

from collections.abc import Iterator
from contextlib import contextmanager

from tuner.errors import TunerError, UsageError


class InputError(UsageError, ValueError):
    """Invalid data, or an invalid parameter."""


class InputTypeError(UsageError, TypeError):
    """Data of an unsupported type."""


@contextmanager
def three_parts(expected: str, todo: str) -> Iterator[None]:
    """Raise what scikit-learn's validation says as our error, its words first.

    Args:
        expected: what would have been right.
        todo: what the user can do.

    Raises:
        InputError: for a ValueError in the block.
        InputTypeError: for a TypeError.
    """
    try:
        yield
    except TunerError:
        raise
    except ValueError as error:
        raise InputError(str(error), expected, todo) from error
    except TypeError as error:
        raise InputTypeError(str(error), expected, todo) from error
