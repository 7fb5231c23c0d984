"""Suggestions for misspelled names."""

import difflib
from collections.abc import Iterable

MOST_SHOWN = 12  # names in one error


def did_you_mean(given: str, known: Iterable[str], otherwise: str = "choose one of them") -> str:
    """The advice for an unknown name: the closest known name, ignoring case.

    Args:
        given: the unknown name.
        known: the known names.
        otherwise: the advice if none of them is close.
    """
    names = {name.casefold().strip("-"): name for name in known}
    near = difflib.get_close_matches(given.casefold().strip("-"), names, n=1)
    return f"did you mean {names[near[0]]!r}? Else {otherwise}" if near else otherwise


def some_of(known: Iterable[str]) -> str:
    """The names in one line; if there are many, the first ones and the number of the rest."""
    names = list(known)
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more
