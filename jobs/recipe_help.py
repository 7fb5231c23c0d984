"""`--help-recipe`: every field of a recipe, whole, with its default, what it may be and what it means."""

import argparse
import dataclasses
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
    from tuner.recipe.schema import SHORT_NAMES, Recipe, fields

    short = {path: name for name, path in SHORT_NAMES.items()}
    found = []
    for path, default, info in fields(Recipe()):
        called = f" (or {short[path]})" if path in short else ""
        head = f"{path} = {_shown(default)}{called}"
        meaning = str(info.metadata.get("help", ""))
        if may := allowed(info):
            meaning = f"{meaning} [{may}]"
        found += textwrap.wrap(head, width, subsequent_indent="        ", break_on_hyphens=False)
        found += textwrap.wrap(meaning, width, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return found


def allowed(info: dataclasses.Field[Any]) -> str:
    """What a field may be: its choices, or its bounds; empty where everything of its type is allowed."""
    choices, low, high, automatic = (info.metadata.get(name) for name in ("choices", "low", "high", "automatic"))
    if choices:
        return f"one of {', '.join(map(str, choices))}"
    bounds = ""
    if low is not None and high is not None:
        bounds = f"{low:.15g} to {high:.15g}"
    elif low is not None:
        bounds = f"at least {low:.15g}"
    elif high is not None:
        bounds = f"at most {high:.15g}"
    return bounds if automatic is None else f"{automatic:.15g}, or {bounds}"


def _shown(default: Any) -> str:
    """A default as it can be typed."""
    if isinstance(default, list):
        return f"[{', '.join(map(str, default))}]"
    return default if isinstance(default, str) and default else json.dumps(default)
