"""`--help-recipe`: every field of a recipe with its default, allowed values and meaning."""

import argparse
import json
import sys
import textwrap
from typing import Any

from jobs.output import terminal, unread_is_fine

WIDEST = 120


class HelpRecipe(argparse.Action):
    """Prints the fields and ends the process."""

    def __call__(self, *_: object) -> None:
        """Print and exit."""
        sys.exit(unread_is_fine(lambda: print("\n".join(lines(min(terminal().width, WIDEST))))))


def lines(width: int) -> list[str]:
    """One field after the other, no line wider than `width`."""
    from tuner.recipe import fields

    found = []
    for field in fields():
        short = f" (or {field.short})" if field.short else ""
        allowed = f" [{field.allowed}]" if field.allowed else ""
        head = f"{field.name} = {_shown(field.default)}{short}"
        found += textwrap.wrap(head, width, subsequent_indent=" " * 8, break_on_hyphens=False)
        told = textwrap.wrap(f"{field.meaning}{allowed}", width - 4, break_on_hyphens=False)
        found += [f"    {line}" for line in told]
    return found


def _shown(default: Any) -> str:
    """A default as it can be typed."""
    if isinstance(default, list):
        return f"[{', '.join(map(str, default))}]"
    return default if isinstance(default, str) and default else json.dumps(default)
