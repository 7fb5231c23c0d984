"""Asks a person at a terminal which trial to take."""

import sys
from collections.abc import Sequence

from tuner.errors import TunerError

WHICH = "Which trial? (a number; Enter: none) "


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def ask_for_trial(known: Sequence[int], shown: Sequence[int]) -> int:
    """The trial that the person types; asks again for what is no trial.

    Args:
        known: the trials that can be taken.
        shown: those that were shown, named in the hint.

    Raises:
        TunerError: nothing was typed.
    """
    while True:
        try:
            typed = input(WHICH).strip()
        except EOFError:
            typed = ""
        if not typed:
            raise TunerError("nothing was chosen", "the number of a trial, or a rule", "run it again, or add --knee")
        if typed.isdecimal() and int(typed) in known:
            return int(typed)
        print(f"{typed!r} is no complete trial; those above are {', '.join(map(str, shown))}")
