"""Sanitizes untrusted text for terminals, pages and files.

Names may contain characters that cannot be encoded; text may move the cursor, change colours or reverse its direction.
"""

import re

# lone surrogates, which represent bytes of a file name that are not UTF-8; control characters (including line breaks
# and terminal codes); characters that change the text direction; and invisible characters
_UNWRITABLE = re.compile(
    "[\ud800-\udfff\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def readable(name: object) -> str:
    """A path or name for display: each character that cannot be encoded or seen becomes U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", str(name))


def one_line(text: str, longest: int) -> str:
    """Untrusted text as one printable line, cut to `longest` characters plus an ellipsis."""
    start = text[:longest]
    if not start.isprintable():
        start = "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in start)
    return start if len(text) <= longest else start + " ..."
