"""What somebody may have meant who wrote a name that nobody knows."""

import difflib
from collections.abc import Iterable

MOST_SHOWN = 12  # names in one error


def did_you_mean(given: str, known: Iterable[str], otherwise: str = "choose one of them") -> str:
    """The advice for an unknown name: the nearest known one, whatever its capitals.

    Args:
        given: what was written.
        known: the names that there are.
        otherwise: the advice where none of them is near.
    """
    names = {name.casefold().strip("-"): name for name in known}
    near = difflib.get_close_matches(given.casefold().strip("-"), names, n=1)
    return f"did you mean {names[near[0]]!r}? Else {otherwise}" if near else otherwise


def some_of(known: Iterable[str]) -> str:
    """The names in one line; of many the first ones, and how many more there are."""
    names = list(known)
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more
