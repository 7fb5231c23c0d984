"""Finds secrets in addresses, to refuse them, and masks them in displayed text.

Anyone who can read a recipe, a ledger or a log can read every address in it. All functions run in linear time.
"""

import re
from urllib.parse import unquote

# Matched anywhere in a parameter's name (`AWSAccessKeyId`, `X-Amz-Signature`), or against all of it (`sig`, `key`).
_TELLING = re.compile(
    r"passw(?:or)?d|passphrase|passcode|pwd|token(?-i:(?![a-rt-z]))|secret|credential|signature|authorization"
    r"|(?:api|access|account|private|shared|master)[._-]?key|^(?:pass|sig|key|auth|sas|jwt|bearer)$",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"(?<![\w.-])([\w.-]++)\s*+=\s*+")
_VALUE = re.compile(r"[^&;#\s'\"]*")
_FILES = ("sqlite", "sqlite+pysqlite", "file")  # in whose paths an @ is an ordinary character
_FILE = r"[/.~]|sqlite(\+pysqlite)?:|file:"
_LAYERS = 5  # of percent-encoding; an address with more is considered an attempt to hide something


def holds_secret(address: str) -> bool:
    """Whether an address contains a user, a password, a token, a key or a signature, in any encoding."""
    for _ in range(_LAYERS):
        is_file = re.match(_FILE, address, re.IGNORECASE)
        if ("@" in address and not is_file) or _without_values(address) != address:
            return True
        plain = unquote(address)
        if plain == address:
            return False
        address = plain
    return True


def is_address(text: str) -> bool:
    """Whether a text is an address such as `https://host/file`, rather than a path or a name."""
    plain = unquote(unquote(text))
    return "://" in plain or "?" in plain or bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", plain))


def hide(text: str) -> str:
    """A text for display, without `user:password@` and without the values of secret parameters."""
    return re.sub(r"\S+", lambda word: _shown(word[0]), _without_values(text))


def _shown(word: str) -> str:
    """A word without user and password; only the scheme if decoding it reveals a secret."""
    plain = word = _without_user(word)
    for _ in range(_LAYERS):
        decoded = unquote(plain)
        if decoded == plain:
            return word
        if _without_user(_without_values(decoded)) != decoded:
            break
        plain = decoded
    return f"{word.partition('://')[0]}://***" if "://" in word else "***"


def _without_user(word: str) -> str:
    before, at, after = word.rpartition("@")
    scheme, colon, rest = before.partition(":")
    if not (at and colon) or re.split(r"[^a-z+]", scheme.lower())[-1] in _FILES:
        return word
    slashes = len(rest) - len(rest.lstrip("/"))
    return f"{scheme}:{'/' * slashes}***@{after}"


def _without_values(text: str) -> str:
    shown, end = [], 0
    for found in _PARAMETER.finditer(text):
        if found.start() >= end and _TELLING.search(found[1]) and (value := _VALUE.match(text, found.end())):
            shown.append(text[end : found.end()] + ("***" if value[0] else ""))
            end = value.end()
    return "".join(shown) + text[end:]
