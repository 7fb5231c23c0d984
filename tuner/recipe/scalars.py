"""Parses a value by the type of its field, never by its form: `no` is a text in a text field.

Numbers and yes-or-no are written as in YAML 1.2, so `1e-3` is a number, and `010` is ten.
"""

import re
from typing import Any

from tuner.errors import UsageError

_WHOLE = re.compile(r"[-+]?\d+", re.ASCII)
_BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", re.ASCII)
_ENDLESS = re.compile(r"([-+]?)\.?(inf|nan)", re.IGNORECASE)  # a number to be refused as one that is not finite
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NO_TEXT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # what a terminal obeys; lone surrogates
_LARGEST = 2**53  # beyond it, whole numbers lose digits on their way through JSON and floats
_LONGEST = 80
_LONGEST_TEXT = 4096  # as long as a path can be


def read_scalar(text: str, kind: type, where: str) -> Any:
    """The value of a field.

    Args:
        text: as it was typed; where the field is a text, every letter of it counts.
        kind: `str`, `int`, `float` or `bool`.
        where: the setting's name, for the error.

    Raises:
        UsageError: the text is no value of this kind.
    """
    if kind is str:
        return _text(text, where)
    if kind is bool:
        if (word := _WORDS.get(text.strip().lower())) is None:
            raise UsageError(f"{where}={show_text(text)}", "true or false", "write one of these words")
        return word
    value = _number(text.strip())
    if value is None or (kind is int and not (abs(value) < _LARGEST and value == int(value))):
        what = f"{where}={show_text(text)}"
        if kind is int:
            raise UsageError(what, "a whole number, such as 8", "write its digits alone")
        raise UsageError(what, "a number, such as 0.001 or 1e-3", "write it with a decimal point, without a unit")
    return int(value) if kind is int else float(value) + 0.0  # -0.0 is 0.0, or equal recipes would differ


def _text(text: str, where: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise UsageError(f"{where} is {len(text):,} letters long", f"at most {_LONGEST_TEXT:,}", "shorten it")
    if _NO_TEXT.search(text):  # the text itself is not shown: it may be an address with a password
        raise UsageError(
            f"{where} holds bytes that are no text, or control characters",
            "a text in UTF-8",
            "rename the file or folder, or link to it",
        )
    return text


def _number(text: str) -> int | float | None:
    """The number a text writes, None for none; whole numbers keep all their digits."""
    if len(text) > _LONGEST:
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if endless := _ENDLESS.fullmatch(text):
        return float(f"{endless[1]}{endless[2]}")
    return float(text) if _NUMBER.fullmatch(text) else None


def show_text(text: str) -> str:
    """A text in one short line, for errors."""
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")
