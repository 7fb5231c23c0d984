"""Errors of the estimator, in three parts, and of the types that scikit-learn's users catch."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tuner.errors import TunerError, UsageError


class InputError(UsageError):
    """Invalid data, or an invalid parameter; a ValueError, as scikit-learn's users expect."""


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


@contextmanager
def restored_on_failure(estimator: Any) -> Iterator[None]:
    """Give an estimator back the attributes it had, if the block fails or is interrupted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@contextmanager
def named_as_parameters(names: Mapping[str, str]) -> Iterator[None]:
    """Let what errors say of settings of the stages name the estimator's parameters.

    Args:
        names: the estimator's names by those of recipes, such as dense_lr by dense.lr.
    """
    try:
        yield
    except TunerError as error:
        for part in ("what", "expected", "todo"):
            told = re.sub(r"[a-z]+\.[a-z0-9_]+", lambda found: names.get(found[0], found[0]), getattr(error, part))
            setattr(error, part, told)
        raise
