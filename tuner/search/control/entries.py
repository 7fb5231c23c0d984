"""The entries by which people instruct a search, one small JSON object each: searches/NAME/control/000001.json.

An entry is never rewritten. What the driver did with it is an event of the ledger. Anyone who can write to the store
can write anything here: an entry is read within limits, and a wrong one is refused with a reason.
"""

import getpass
import json
import re
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.errors import TunerError
from tuner.search.control.verbs import VERBS
from tuner.search.record.fields import InvalidEventError, check_number, clean, line, told
from tuner.store import MissingKeyError, Store, check_name

MOST_BYTES = 10_000
MOST_ENTRIES = 10_000
LARGEST = 999_999
UNKNOWN = "unknown"

_NAME = re.compile(r"(?!0{6})\d{6}\.json", re.ASCII)


@dataclass(frozen=True)
class Instruction:
    """What a person asks of a search.

    Attributes:
        number: of its entry, from 1.
        verb: one of `VERBS`; `UNKNOWN` if the entry cannot be read.
        arguments: of the verb.
        by: who asks, as the entry says.
        given_s: when, unix seconds, as the entry says.
        problem: why it cannot be carried out by anyone; empty: nothing is wrong with it.
        written_s: when its entry was written, unix seconds by the store's clock; 0: unknown.
    """

    number: int
    verb: str
    arguments: dict[str, Any] = field(default_factory=dict)
    by: str = UNKNOWN
    given_s: float = 0.0
    problem: str = ""
    written_s: float = 0.0

    def told(self) -> str:
        """In words: "skip trial=7", "stop"."""
        return " ".join([self.verb, *(f"{name}={value}" for name, value in self.arguments.items())])


def folder(search: str) -> str:
    """The prefix of the entries of a search."""
    return f"searches/{check_name(search)}/control/"


def give(
    store: Store,
    search: str,
    verb: str,
    arguments: Mapping[str, Any],
    by: str = "",
    used: Iterable[int] = (),
) -> Instruction:
    """Write an instruction under the first free number.

    Args:
        store: of the search.
        search: its name.
        verb: one of `VERBS`.
        arguments: of the verb.
        by: who asks; empty: this user.
        used: numbers that the ledger has; their entries may have been deleted, and no driver looks at them again.

    Raises:
        InvalidEventError: the verb is unknown, or its arguments are wrong.
        StoreError: the store cannot be written to.
    """
    by, given_s = by or this_person(), time.time()
    VERBS[verb].check(dict(arguments))
    content = {"verb": verb, "arguments": dict(arguments), "by": by, "given_s": given_s}
    data = json.dumps(content, allow_nan=False).encode()
    there = set(numbers(store, search)[0])
    taken = there.union(used)
    free = (n for n in range(1, LARGEST + 1) if n not in taken) if len(there) < MOST_ENTRIES else ()
    for number in free:
        if store.put_new(f"{folder(search)}{number:06d}.json", data):
            return Instruction(number, verb, dict(arguments), by, given_s)
    raise TunerError(
        f"search {search!r} has {MOST_ENTRIES:,} instructions",
        "fewer of them",
        f"delete old files in {folder(search)} of {store.url}; the ledger keeps what was done",
    )


def numbers(store: Store, search: str) -> tuple[list[int], list[str]]:
    """The numbers of the entries, in order, and the names of files that are none."""
    names = [key.removeprefix(folder(search)) for key in store.list(folder(search))]
    found = sorted(int(name[:6]) for name in names if _NAME.fullmatch(name))
    return found[:MOST_ENTRIES], sorted(name for name in names if not _NAME.fullmatch(name))


def read(store: Store, search: str, number: int) -> Instruction | None:
    """An entry, with its problem if it has one; None: it has been deleted.

    Raises:
        StoreError: the store cannot be read.
    """
    key = f"{folder(search)}{number:06d}.json"
    try:
        if (found := store.stat(key)) is None:
            return None
        if found.size > MOST_BYTES:
            return Instruction(number, UNKNOWN, problem=f"it has {found.size:,} bytes; at most {MOST_BYTES:,} are read")
        return replace(parsed(number, store.get(key)), written_s=found.modified)
    except MissingKeyError:
        return None


def parsed(number: int, data: bytes) -> Instruction:
    """An entry from its bytes; it never raises."""
    try:
        found = parse_object(data)
    except InvalidJsonError as error:
        return Instruction(number, UNKNOWN, problem=f"it {error}")
    verb, arguments = found.get("verb"), found.get("arguments")
    try:
        by = line("by", found.get("by"))
        check_number("given_s", found.get("given_s"))
        if not (isinstance(verb, str) and verb in VERBS):
            return Instruction(number, UNKNOWN, {}, by, problem=f"this version knows no instruction {told(verb)}")
        VERBS[verb].check(arguments)
    except InvalidEventError as error:
        return Instruction(number, UNKNOWN, problem=str(error))
    return Instruction(number, verb, arguments if isinstance(arguments, dict) else {}, by, float(found["given_s"]))


def this_person() -> str:
    """User and host of this process, such as "ada@lab7"."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may have no name for its user
        user = UNKNOWN
    return clean(f"{user}@{socket.gethostname()}")
