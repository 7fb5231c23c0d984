"""Shell completion by argcomplete: commands, options, recipes and their fields, searches, metrics.

Switched on by `eval "$(register-python-argcomplete qpm-tuner)"`. The shell then calls the program for each Tab, so
nothing heavy is imported, and a remote store is not queried.
"""

import argparse
import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Completer = Callable[..., list[str]]


def completed(action: argparse.Action, completer: Completer) -> argparse.Action:
    """Attach a completer to an argument; it is called with prefix, action, parser and parsed_args."""
    action.completer = completer  # type: ignore[attr-defined]
    return action


def recipes(folder: Path) -> list[str]:
    """The names of the recipes in a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def searches(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """The searches in the store, if it is a local folder."""
    store = str(parsed_args.store or "")
    found = [] if "://" in store else Path(store).expanduser().glob("searches/*/recipe.yaml")
    return sorted(path.parent.name for path in found)


def fields(prefix: str, **_: Any) -> list[str]:
    """`field=` for each field of a recipe; after the equals sign, its choices."""
    from tuner.recipe import fields as all_fields

    found = all_fields()
    name, sign, _given = prefix.partition("=")
    if not sign:
        return [f"{word}=" for field in found for word in (field.name, field.short) if word]
    return [f"{name}={choice}" for field in found if name in (field.name, field.short) for choice in field.choices]


def metrics(**_: Any) -> list[str]:
    """The metrics that can be objectives, and the sizes."""
    from tuner.qpm.metrics.table import METRICS
    from tuner.recipe.objectives import SIZES

    return [*METRICS, *SIZES]


def systems(prefix: str, **_: Any) -> list[str]:
    """The systems of a comparison, behind those that are given already."""
    from tuner.search.systems.table import SYSTEMS

    before, comma, _given = prefix.rpartition(",")
    return [f"{before}{comma}{name}" for name in SYSTEMS]


def offer(names: Sequence[str]) -> None:
    """Answer the shell's completion request, and end the process."""
    import argcomplete

    made = argparse.ArgumentParser("qpm-tuner")
    made.add_argument("--version", action="store_true")
    commands = made.add_subparsers()
    words = os.environ.get("COMP_LINE", "").split()
    for name in names:
        parents = [importlib.import_module(f"jobs.{name}").arguments()] if name in words[1:2] else []
        commands.add_parser(name, parents=parents, add_help=not parents)
    argcomplete.autocomplete(made)
