"""What a running search does at this moment, as a small file that its driver rewrites every few seconds.

searches/NAME/now.json is for people on other machines. Nothing depends on it, and it may be deleted. Anyone who can
write to the store can write it: it is read within limits.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.base.steps import repeated
from tuner.errors import TunerError
from tuner.search.record.fields import clean, is_number
from tuner.store import MissingKeyError, Store, check_name

LOCAL_S, REMOTE_S = 2.0, 10.0
"""Seconds between two versions of the file, in a folder and over a network."""
MOST_BYTES = 1_000_000
MOST_TRIALS = 2_000


@dataclass(frozen=True)
class Doing:
    """What an open trial does.

    Attributes:
        words: such as "finetune 12/60 43 s", or what it waits for.
        stage: the stage that runs or waits; empty: none.
        where: the process that runs it, such as "lab7 pid 4711"; empty: none yet.
        seconds: seconds since the stage's turn came.
    """

    words: str
    stage: str = ""
    where: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Now:
    """A running search at one moment.

    Attributes:
        summary: how far it is, in one line.
        trials: the open trials, by number.
        age_s: seconds since this was written, by the store's clock.
    """

    summary: str
    trials: Mapping[int, Doing]
    age_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {"summary": self.summary, "trials": {str(n): doing.__dict__ for n, doing in self.trials.items()}}


def key_of(search: str) -> str:
    """The key of the file."""
    return f"searches/{check_name(search)}/now.json"


def read_now(store: Store, search: str) -> Now | None:
    """What the driver wrote last; None: nothing that can be read.

    Raises:
        StoreError: the store cannot be read.
    """
    try:
        stat = store.stat(key_of(search))
        if stat is None or stat.size > MOST_BYTES:
            return None
        found = parse_object(store.get(key_of(search)))
    except (MissingKeyError, InvalidJsonError):
        return None
    trials, summary = found.get("trials"), found.get("summary")
    if not isinstance(trials, dict) or not isinstance(summary, str):
        return None
    read = {int(n): _doing(told) for n, told in list(trials.items())[:MOST_TRIALS] if n.isascii() and n.isdigit()}
    return Now(clean(summary), read, max(0.0, store.now() - stat.modified))


@contextlib.contextmanager
def published(store: Store, search: str, look: Callable[[], Now], warn: Callable[[str], None]) -> Iterator[None]:
    """Write the file every few seconds for the length of a block, and remove it at the end.

    An outage of the store is told once, and the next version tries again: nothing depends on the file.

    Args:
        store: of the search.
        search: its name.
        look: what it does now.
        warn: called with a line once, if the file cannot be written.
    """
    told = False

    def write() -> None:
        nonlocal told
        try:
            store.put(key_of(search), json.dumps(look().to_json(), allow_nan=False).encode())
        except TunerError as error:
            if not told:
                warn(f"what runs now cannot be shown on other machines ({error.what})")
            told = True

    every_s = LOCAL_S if store.local_path("x") is not None else REMOTE_S
    try:
        with repeated(every_s, write):
            yield
    finally:
        try:
            store.delete(key_of(search))
        except TunerError as error:
            warn(f"{key_of(search)} was not removed ({error.what}); it may be deleted")


def _doing(told: Any) -> Doing:
    """One trial, from untrusted JSON."""
    found = told if isinstance(told, dict) else {}
    words, stage, where = (clean(t) if isinstance(t := found.get(n), str) else "" for n in ("words", "stage", "where"))
    seconds = found.get("seconds", 0.0)
    return Doing(words, stage, where, float(seconds) if is_number(seconds) else 0.0)
