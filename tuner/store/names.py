"""Validates names and keys before they become paths or object keys.

Both are allow-lists of plain ASCII, so Unicode tricks, `..` and hidden files need no special handling.
"""

import re

from tuner.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@-]{0,199}")
_MAX_LENGTH = 800
_PREFIX_TAIL = re.compile(r"[A-Za-z0-9._+=@-]{0,200}")


def check_name(name: str) -> str:
    """Check a name given by a user (of a search, a person) and return it unchanged.

    Args:
        name: 1 to 100 ASCII letters, digits, `.`, `_`, `-`, starting with a letter or a digit, without `..`.

    Raises:
        UsageError: the name is anything else.
    """
    if not _NAME.fullmatch(name) or ".." in name or name.endswith("."):
        raise UsageError(
            f"the name {_shown(name)} is not valid",
            "1 to 100 plain letters, digits, '.', '_' or '-', starting with a letter or digit, without '..'",
            "choose another name, for example digits-2",
        )
    return name


def check_key(key: str) -> str:
    """Check a key of a store and return it unchanged: segments of plain ASCII joined by single slashes.

    Raises:
        UsageError: the key is empty, absolute, too long, hidden (a segment starts with `.`) or not ASCII.
    """
    if len(key) > _MAX_LENGTH or not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise _bad_key(key)
    return key


def check_prefix(prefix: str) -> str:
    """Check a prefix for listing: empty, or a key whose last segment may be incomplete.

    Raises:
        UsageError: no valid key starts with it.
    """
    *folders, tail = prefix.split("/")
    folders_good = len(prefix) <= _MAX_LENGTH and all(_SEGMENT.fullmatch(folder) for folder in folders)
    if not folders_good or not _PREFIX_TAIL.fullmatch(tail) or tail.startswith("."):
        raise _bad_key(prefix)
    return prefix


def _bad_key(key: str) -> UsageError:
    return UsageError(
        f"the key {_shown(key)} is not valid",
        "segments of plain letters, digits and ._+=@- joined by '/', none hidden or '..'",
        "rename the file or choose another key",
    )


def _shown(text: str) -> str:
    """The text in escaped ASCII, shortened, for messages."""
    return ascii(text if len(text) <= 80 else text[:80] + "...")
