"""Strict parsing of untrusted JSON objects.

Duplicate names, NaN and Infinity, overflowing or very long numbers, and excessive nesting are refused.
"""

import json
import math
from typing import Any

MOST_DIGITS = 40  # of an integer: we never write more, and long ones are slow to parse


class InvalidJsonError(ValueError):
    """The data are not such an object; the text continues a sentence that names them: "is not valid JSON"."""


def parse_object(data: bytes | str, *, any_number: bool = False) -> dict[str, Any]:
    """Parse a JSON object.

    Args:
        data: the complete contents of a file.
        any_number: also accept infinite and very long numbers, for callers that check each number themselves.

    Raises:
        InvalidJsonError: the data are anything else.
    """
    decoder = _LOOSE if any_number else _STRICT
    try:
        found = decoder.decode(data if isinstance(data, str) else data.decode())
    except InvalidJsonError:
        raise
    except UnicodeDecodeError:
        raise InvalidJsonError("is not UTF-8 text") from None
    except RecursionError:
        raise InvalidJsonError("is nested too deeply") from None
    except ValueError:  # including numbers with more digits than Python converts
        raise InvalidJsonError("is not valid JSON") from None
    if not isinstance(found, dict):
        raise InvalidJsonError(f"contains {_KINDS.get(type(found), 'another type')}, not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJsonError(f"contains {twice[:40]!a} twice")
    return found


def _no_number(text: str) -> Any:
    raise InvalidJsonError(f"contains {text}, which is not valid JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise InvalidJsonError("contains a number that is too large")
    return value


def _short(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise InvalidJsonError("contains a number with too many digits")
    return int(text)


_LOOSE = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite, parse_int=_short)
_KINDS: dict[type, str] = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
_KINDS[type(None)] = "null"
