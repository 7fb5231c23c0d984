"""The contents of lease.json: the holder of a search and its time to live. Treated as untrusted input.

Any process with write access to the store can write anything there; the worst consequence is a wait, never a traceback.
"""

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass

from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.base.text import one_line
from tuner.errors import UsageError

TTL = "QPM_TUNER_LEASE_S"
USUAL_TTL_S = 60.0
SHORTEST_TTL_S, LONGEST_TTL_S = 1.0, 600.0
MOST_BYTES = 10_000
_MOST_TERM = 2**53
_SHOWN = 200  # characters of a text
_DAMAGED = "a driver whose lease.json is damaged"


@dataclass(frozen=True)
class Tenure:
    """One driver's hold of a search.

    Args:
        holder: human-readable name of the driver.
        since: start, UTC, ISO 8601.
        token: distinguishes holders of the same name.
        ttl_s: seconds without a renewal after which another driver may take over.
        term: counts the holders of the search; 0 for a holder of an earlier version.
        beat: counts the renewals.
        released: the holder has released the lease.
    """

    holder: str
    since: str
    token: str
    ttl_s: float
    term: int = 0
    beat: int = 0
    released: bool = False

    def to_json(self) -> bytes:
        """The contents of lease.json."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class Seen:
    """One reading of lease.json.

    Args:
        version: version for the store's `replace`.
        tenure: its contents.
        beat: changes with every renewal, and only then.
    """

    version: str
    tenure: Tenure
    beat: str

    @classmethod
    def of(cls, version: str, data: bytes, ttl_s: float = USUAL_TTL_S) -> "Seen":
        """Parse the bytes; for `ttl_s` see `read_tenure`."""
        return cls(version, read_tenure(data, ttl_s), hashlib.sha256(data).hexdigest())


def read_tenure(data: bytes, ttl_s: float = USUAL_TTL_S) -> Tenure:
    """The tenure in these bytes; damaged bytes count as an unnamed holder with `ttl_s` to renew."""
    try:
        found = parse_object(data) if len(data) <= MOST_BYTES else {}
    except InvalidJsonError:
        found = {}
    if not isinstance(found.get("holder"), str):
        return Tenure(_DAMAGED, "unknown", "", ttl_s)
    token = found.get("token")
    return Tenure(
        holder=line(found["holder"]),
        since=line(found.get("since")),
        token=token if isinstance(token, str) else "",
        ttl_s=bounded_ttl_s(found.get("ttl_s")),
        term=_count(found.get("term")),
        beat=_count(found.get("beat")),
        released=found.get("released") is True,
    )


def bounded_ttl_s(value: object) -> float:
    """A TTL clamped to 1 s to 600 s; the default for anything but a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return USUAL_TTL_S
    return float(min(max(value, SHORTEST_TTL_S), LONGEST_TTL_S))


def usual_ttl_s() -> float:
    """The TTL of a lease in seconds: `$QPM_TUNER_LEASE_S`, or a minute.

    Raises:
        UsageError: the variable is not a number within the bounds.
    """
    text = os.environ.get(TTL, f"{USUAL_TTL_S:g}")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not SHORTEST_TTL_S <= value <= LONGEST_TTL_S:
        raise UsageError(
            f"{TTL} is {text!r}", f"seconds between {SHORTEST_TTL_S:g} and {LONGEST_TTL_S:g}", "set it, or unset it"
        )
    return value


def line(text: object) -> str:
    """A text as one printable line of limited length."""
    if not isinstance(text, str):
        return "unknown"
    return one_line(text, _SHOWN)


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < _MOST_TERM else 0
