"""The bytes of a ledger's entry as one JSON object, or the reason why they are none.

A store is open to others, so nothing is taken for granted: text, depth, numbers, names that occur twice.
"""

import json
from typing import Any

MOST_BYTES = 4_000_000
"""What an event may take; the largest there are hold a recipe of some kilobytes."""


class NoEvent(ValueError):
    """Bytes that hold no event; the text goes on from the name of the entry: "is no JSON"."""


def read_object(data: bytes) -> dict[str, Any]:
    """The object that the bytes hold.

    Raises:
        NoEvent: they hold something else.
    """
    try:
        found = _DECODER.decode(data.decode())
    except NoEvent:
        raise
    except UnicodeDecodeError:
        raise NoEvent("is no text in UTF-8") from None
    except RecursionError:
        raise NoEvent("is nested too deeply") from None
    except ValueError:  # also a number of more digits than Python reads
        raise NoEvent("is no JSON") from None
    if not isinstance(found, dict):
        raise NoEvent(f"holds {_KINDS.get(type(found), 'something else')}, not an object with the fields of an event")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NoEvent(f"holds {twice[:40]!a} twice")
    return found


def _no_number(text: str) -> Any:
    raise NoEvent(f"holds {text}, which is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
_KINDS: dict[type, str] = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
_KINDS[type(None)] = "null"
