"""Parses the address of a store: a folder or a location on S3; anything that only resembles one is refused.

A slash lost in a script (`s3:/bucket`) must not turn a bucket into a folder on the node's local disk.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tuner.base.secrets import hide, holds_secret, is_address
from tuner.errors import UsageError
from tuner.store.names import check_key

# Also `runs:1`, `host:9000/x`, `user@host:/x` and `"s3://x"` in quotes; `./runs:1` and `/data/runs:1` are folders.
_SCHEME = re.compile(r"([^/\\:]*?)\s*:")
_LOST_COLON = re.compile(r"(s3\w?|gs|file|https?)\W?//", re.IGNORECASE)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
LONGEST = 4096  # PATH_MAX on Linux
KEYS = "name keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and a server in AWS_ENDPOINT_URL"
_FORMS = "a folder, file:///folder or s3://bucket/prefix"


@dataclass(frozen=True)
class Place:
    """A bucket and a prefix in it, without leading or trailing slashes."""

    bucket: str
    prefix: str


def parse_address(text: str) -> Path | Place:
    """The folder, or the location on S3.

    Raises:
        UsageError: it is neither. The message omits user, password and query of the address.
    """
    if len(text) > LONGEST:
        raise UsageError(f"the store's address has {len(text):,} characters", f"at most {LONGEST:,}", "check `store`")
    if not text or text != text.strip() or not _is_text(text):
        raise UsageError(
            f"the store '{_shown(text)}' cannot be used",
            f"{_FORMS}, without leading or trailing spaces",
            "check `store`; is a variable in it empty?",
        )
    if is_address(text) and holds_secret(text):
        raise UsageError(
            f"the store's address {_shown(text)} contains a user name, a password or a key",
            f"{_FORMS}, without them",
            KEYS,
        )
    if text.startswith("s3://"):
        return _place(text)
    if text.startswith(("file:///", "file://localhost/")) and _is_text(folder := unquote(text)):
        return Path(folder.removeprefix("file://").removeprefix("localhost"))
    if scheme := _SCHEME.match(text) or _LOST_COLON.match(text):
        raise UsageError(f"no store at {_shown(text)}", _FORMS, _hint(text, scheme[1].lower()))
    return Path(text)


def _place(text: str) -> Place:
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    prefix = prefix.removesuffix("/")
    if set("@:?#") & set(text.removeprefix("s3:")):
        raise UsageError(f"no store at {_shown(text)}", "s3://bucket/prefix, without user, port or query", KEYS)
    if not _BUCKET.fullmatch(bucket):
        expected = "s3://bucket/prefix, the bucket's name of plain letters, digits, '.', '-' and '_'"
        raise UsageError(f"no store at {_shown(text)}", expected, "check the bucket's name and the slashes")
    try:
        return Place(bucket, check_key(prefix) if prefix else "")
    except UsageError as error:
        raise UsageError(f"no store at {_shown(text)}", f"a prefix of {error.expected}", "correct it") from None


def _hint(text: str, scheme: str) -> str:
    """Suggests what the user probably meant."""
    if scheme in ("http", "https"):
        return "give s3://bucket/prefix, and the server in AWS_ENDPOINT_URL"
    if scheme in ("s3", "s3a", "s3n", "file"):
        right = "s3://" if scheme.startswith("s3") else "file:///"
        rest = re.sub(r"^\W+", "", text[len(scheme) :])
        return f"check the slashes: {right}..." if _is_secret(rest) else f"did you mean {right}{rest}?"
    return "use one of these; a folder with a colon in its name is written ./NAME"


def _shown(text: str) -> str:
    """The address in ASCII, with anything that may be a password or a signature removed."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    if "@" in rest:
        rest = f"...@{rest.rpartition('@')[2]}"
    for mark in "?#":
        if mark in rest:
            rest = f"{rest.partition(mark)[0]}{mark}..."
    return ascii(hide(f"{scheme}{separator}{rest}"))[1:-1]


def _is_secret(text: str) -> bool:
    return bool(set("@?#") & set(text)) or holds_secret(text)


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
