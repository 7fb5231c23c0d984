"""A JSON object that somebody else may have written, without what JSON leaves open.

No name twice, no constant that JSON lacks, no number beyond all bounds, no nest too deep to walk.
"""

import json
import math
from typing import Any

MOST_DIGITS = 40  # of a whole number: nothing we write has more, and long ones take long to read


class InvalidJsonError(ValueError):
    """What holds no such object; the text goes on from the name of where it was: "is no JSON"."""


def parse_object(data: bytes | str, *, any_number: bool = False) -> dict[str, Any]:
    """The object that is there.

    Args:
        data: the whole content of a file.
        any_number: take infinite and very long numbers as well, for whoever checks each of them.

    Raises:
        InvalidJsonError: there is something else.
    """
    decoder = _LOOSE if any_number else _STRICT
    try:
        found = decoder.decode(data if isinstance(data, str) else data.decode())
    except InvalidJsonError:
        raise
    except UnicodeDecodeError:
        raise InvalidJsonError("is no text in UTF-8") from None
    except RecursionError:
        raise InvalidJsonError("is nested too deeply") from None
    except ValueError:  # also a number of more digits than Python reads
        raise InvalidJsonError("is no JSON") from None
    if not isinstance(found, dict):
        raise InvalidJsonError(f"holds {_KINDS.get(type(found), 'something else')}, not an object with named fields")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJsonError(f"holds {twice[:40]!a} twice")
    return found


def _no_number(text: str) -> Any:
    raise InvalidJsonError(f"holds {text}, which is no JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise InvalidJsonError("holds a number beyond all bounds")
    return value


def _short(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise InvalidJsonError("holds a number of very many digits")
    return int(text)


_LOOSE = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite, parse_int=_short)
_KINDS: dict[type, str] = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
_KINDS[type(None)] = "null"
