"""Formats counts and names for notes and errors: "1,204 images", "a, b and 3 more"."""

import os
from collections.abc import Sequence

NAMED_AT_MOST = 5


def count(n: int, thing: str, things: str = "") -> str:
    """ "1 image" or "1,204 images"; `things` is an irregular plural."""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def some(names: Sequence[str]) -> str:
    """The first names, and the number of the others."""
    shown = ", ".join(printable(name) for name in names[:NAMED_AT_MOST])
    more = len(names) - NAMED_AT_MOST
    return f"{shown} and {more:,} more" if more > 0 else shown


def printable(name: str) -> str:
    r"""A file name as displayable text: bytes that are not UTF-8 are escaped, as in `\xe9`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
