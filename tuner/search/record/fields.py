"""Checks of single fields of ledger events: types, finiteness, sizes, and printable text."""

import dataclasses
import re
from functools import lru_cache
from math import isfinite
from typing import Any

from tuner.base.secrets import hide
from tuner.base.text import one_line
from tuner.qpm.program_info import ProgramInfo

N_SEEDS = 2**32  # seeds are below it
MOST_TRIALS = 1_000_000  # above what a ledger can hold
MOST_EPOCHS = 1_000_000_000
LONGEST_TEXT = 5000
LONGEST_NAME = 200
DEEPEST = 20

_KEY = re.compile(r"[0-9A-Za-z_-]{1,100}")
_WORD = re.compile(r"[A-Za-z][0-9A-Za-z_.-]{0,99}")


class InvalidEventError(ValueError):
    """An invalid event; the message says why: "lacks time_s"."""


def taken(made: type[Any], content: Any) -> dict[str, Any]:
    """The fields of a class that an object has; others are ignored.

    Raises:
        InvalidEventError: it is not an object, or lacks a field without default.
    """
    if not isinstance(content, dict):
        raise InvalidEventError("holds something else where an object belongs")
    names, required = _names(made)
    found = {name: content[name] for name in names if name in content}
    if missing := [name for name in required if name not in found]:
        raise InvalidEventError(f"lacks {' and '.join(missing)}")
    return found


def check_number(name: str, value: Any) -> None:
    """A finite number, at least 0."""
    if not (is_number(value) and value >= 0):
        raise InvalidEventError(f"its {name} is no number of at least 0: {told(value)}")


def check_count(name: str, value: Any) -> None:
    """A trial's number."""
    if not (type(value) is int and 0 <= value < MOST_TRIALS):
        raise InvalidEventError(f"its {name} is no number of a trial: {told(value)}")


def check_seed(name: str, value: Any) -> None:
    """A seed."""
    if not (type(value) is int and 0 <= value < N_SEEDS):
        raise InvalidEventError(f"its {name} is no seed: {told(value)}")


def check_numbers(name: str, values: Any) -> None:
    """Metrics by name."""
    if not isinstance(values, dict):
        raise InvalidEventError(f"its {name} are no object of names and numbers: {told(values)}")
    if not (set(map(type, values.values())) <= {float} and isfinite(sum(values.values()))):  # fast path for valid ones
        for metric, value in values.items():
            if not is_number(value):
                raise InvalidEventError(f"its {name} hold {told(metric)}: {told(value)}, which is no finite number")
    _check_names(name, values)


def check_params(params: Any) -> None:
    """A trial's parameters by name."""
    if not isinstance(params, dict):
        raise InvalidEventError(f"its params are no object of names and values: {told(params)}")
    _check_names("params", params)
    for name, value in params.items():
        if not (is_number(value) or isinstance(value, bool) or (isinstance(value, str) and value.isprintable())):
            raise InvalidEventError(f"its params hold {told(name)}: {told(value)}, which is no value of a parameter")


def check_rung(values: dict[str, float], epochs: Any) -> None:
    """The epoch of the rung and the epochs in all, where there are values of it."""
    if epochs is None and not values:
        return
    sound = isinstance(epochs, tuple) and len(epochs) == 2 and all(type(epoch) is int for epoch in epochs)
    if not (sound and values and 0 < epochs[0] < epochs[1] <= MOST_EPOCHS):
        raise InvalidEventError(f"its rung_epochs are no epoch of a rung and the epochs in all: {told(epochs)}")


def check_program(program: ProgramInfo) -> None:
    """How a program ended: numbers, words, or nothing."""
    for name, value in program.to_json().items():
        if not (value is None or (is_word(value) if name == "status" else is_number(value))):
            raise InvalidEventError(f"its program holds {told(name)}: {told(value)}")


def check_key(name: str, value: Any) -> None:
    """The key of an artifact, which becomes part of a path."""
    if not (type(value) is str and _KEY.fullmatch(value)):
        raise InvalidEventError(f"its {name} is no key of an artifact: {told(value)}")


def check_word(name: str, value: Any) -> None:
    """An internal name, such as that of a stage."""
    if not is_word(value):
        raise InvalidEventError(f"its {name} is no name: {told(value)}")


def is_word(value: Any) -> bool:
    """Whether it is a valid internal name."""
    return isinstance(value, str) and _matches(value)


def check_words(name: str, value: Any) -> None:
    """A short text, perhaps empty."""
    if not (isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT):
        raise InvalidEventError(f"its {name} is no text: {told(value)}")


def check_tree(name: str, value: Any) -> None:
    """An object of settings, not nested deeper than settings are."""
    if not isinstance(value, dict):
        raise InvalidEventError(f"its {name} is no object: {told(value)}")
    if not _is_plain(value, DEEPEST):
        raise InvalidEventError(f"its {name} holds what is no setting")


def line(name: str, value: Any) -> str:
    """An untrusted text, such as an error message, as one printable line without passwords."""
    if not isinstance(value, str):
        raise InvalidEventError(f"its {name} is no text: {told(value)}")
    return clean(value)


def clean(text: str) -> str:
    """A text without terminal control sequences, unencodable characters and passwords."""
    return one_line(hide(text[: 2 * LONGEST_TEXT]), LONGEST_TEXT)


def told(value: Any) -> str:
    """A short text for a value of any kind."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "a number of very many digits"
    text = hide(ascii(value[:LONGEST_TEXT] if isinstance(value, str) else value))
    return text if len(text) <= 60 else text[:60] + "..."


def is_number(value: Any) -> bool:
    """A finite number that is no truth value."""
    if type(value) is float or isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


@lru_cache(maxsize=4096)
def _matches(word: str) -> bool:
    return _WORD.fullmatch(word) is not None


def _check_names(name: str, found: dict[Any, Any]) -> None:
    if not all(map(_is_name, found)):
        raise InvalidEventError(
            f"its {name} hold a name that is none: {told(next(n for n in found if not _is_name(n)))}"
        )


@lru_cache(maxsize=4096)  # a ledger repeats a few names
def _is_name(found: Any) -> bool:
    return isinstance(found, str) and 0 < len(found) <= LONGEST_NAME and found.isprintable()


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(n, str) and _is_plain(v, depth - 1) for n, v in value.items())
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    return value is None or isinstance(value, str | bool) or is_number(value)


def _names(made: type[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields of a class, and those without default; cached, because a ledger needs them for every entry."""
    if made not in _FIELDS:
        infos, missing = dataclasses.fields(made), dataclasses.MISSING
        required = (i.name for i in infos if i.default is missing and i.default_factory is missing)
        _FIELDS[made] = tuple(i.name for i in infos), tuple(required)
    return _FIELDS[made]


_FIELDS: dict[type[Any], tuple[tuple[str, ...], tuple[str, ...]]] = {}
