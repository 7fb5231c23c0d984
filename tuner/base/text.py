"""Texts that somebody else may have written, for terminals, pages and files.

A name may hold what no encoding can, and a text what moves a cursor, changes colours or turns the direction of others.
"""

import re

# lone surrogates, which stand for bytes of a file name that are no UTF-8; control characters (line ends and terminal
# codes too); what turns the direction of a text; and what nobody sees
_UNWRITABLE = re.compile(
    "[\ud800-\udfff\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def readable(name: object) -> str:
    """A path or name for people and files: each character that cannot be written or seen becomes U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", str(name))


def one_line(text: str, longest: int) -> str:
    """A text of anybody's as one line that a terminal can show, in no more than so many characters and dots."""
    start = text[:longest]
    if not start.isprintable():
        start = "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in start)
    return start if len(text) <= longest else start + " ..."
