"""Names from file systems as text that can be written: paths and class names may hold what no encoding can.

A file name that is not UTF-8 reaches Python with its odd bytes as lone surrogates, which neither a page, nor JSON for
other programs, nor a terminal takes.
"""

import re

# lone surrogates, control characters (line ends and terminal codes too), what turns the direction of a text, and what
# nobody sees
_UNWRITABLE = re.compile(
    "[\ud800-\udfff\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def readable(name: object) -> str:
    """A path or name for people and files: each character that cannot be written or seen becomes U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", str(name))
