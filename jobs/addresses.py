"""The address of a search or of a trial as one word: `digits`, `digits:7`, `s3://bucket/prefix/digits:7`."""

import re
from typing import NamedTuple

from jobs.output import progress, readable
from tuner.errors import UsageError
from tuner.search.record.home import SearchHome, open_home
from tuner.store import open_store

ADDRESS = re.compile(r"(?:(?P<store>.+)/)?(?P<name>[^/:]+)(?::(?P<trial>\d{1,9}))?", re.ASCII)
FORMS = "a search, NAME or STORE/NAME, or a trial of one, NAME:7"


class Addressed(NamedTuple):
    """A search, or a trial of it.

    Attributes:
        home: the search.
        trial: the trial's number; None: the whole search.
    """

    home: SearchHome
    trial: int | None


def addressed(text: str, store: str) -> Addressed:
    """What an address names; it must exist.

    Args:
        text: the address.
        store: of a search that is named without one.

    Raises:
        UsageError: it is no address, or there is no such search.
    """
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise UsageError(f"{readable(text)!r} names neither a search nor a trial", FORMS, "correct it")
    home = open_home(open_store(found["store"] or store), found["name"], progress(stderr=True).warn)
    return Addressed(home, None if found["trial"] is None else int(found["trial"]))
