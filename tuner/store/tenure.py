"""What lease.json says: who holds a search, and for how long they may be silent. Read without trust in what it holds.

Anybody who can write to the store can write anything there; the worst that comes of it is waiting, never a traceback.
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
        holder: who, for people.
        since: UTC, ISO 8601.
        token: tells two holders of one name apart.
        ttl_s: for how long the holder may be silent.
        term: counts the holders of the search; 0 for one of an earlier version.
        beat: counts the renewals.
        released: the holder is done.
    """

    holder: str
    since: str
    token: str
    ttl_s: float
    term: int = 0
    beat: int = 0
    released: bool = False

    def to_json(self) -> bytes:
        """As lease.json holds it."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class Seen:
    """A look at lease.json.

    Args:
        version: for the store's `replace`.
        tenure: what it says.
        beat: differs after every renewal, and after nothing else.
    """

    version: str
    tenure: Tenure
    beat: str

    @classmethod
    def of(cls, version: str, data: bytes, ttl_s: float = USUAL_TTL_S) -> "Seen":
        """What the bytes say; `ttl_s` as `read_tenure` has it."""
        return cls(version, read_tenure(data, ttl_s), hashlib.sha256(data).hexdigest())


def read_tenure(data: bytes, ttl_s: float = USUAL_TTL_S) -> Tenure:
    """The tenure in these bytes; damage is a holder without a name, who is given `ttl_s` to write again."""
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
    """A time of silence between a second and ten minutes; the usual one for what is no positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return USUAL_TTL_S
    return float(min(max(value, SHORTEST_TTL_S), LONGEST_TTL_S))


def usual_ttl_s() -> float:
    """For how long a driver may be silent: `$QPM_TUNER_LEASE_S`, or a minute.

    Raises:
        UsageError: the variable is not a number in the bounds.
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
    """A text in one printable line that is not too long."""
    if not isinstance(text, str):
        return "unknown"
    return one_line(text, _SHOWN)


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < _MOST_TERM else 0
