"""Arguments shared by all commands, and parse errors that suggest what may have been meant."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import tuner
from jobs.completion import completed, fields, recipes, searches
from jobs.output import readable
from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError

STORE_HELP = "folder or s3://bucket/prefix (default: runs)"
RECIPES = Path(tuner.__file__).parent / "recipes"


class Parser(argparse.ArgumentParser):
    """Reports errors in three parts, like the rest of the program, and suggests the nearest option."""

    _given: Sequence[str] = ()

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse.

        Raises:
            UsageError: this command does not take these arguments.
        """
        self._given = list(sys.argv[1:] if args is None else args)
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            raise self._unknown(unknown[0])
        return parsed

    def error(self, message: str) -> NoReturn:
        """Called by argparse for every other error.

        Raises:
            UsageError: always.
        """
        for given in self._given:  # a required option may be missing because it is misspelled
            if given.startswith("--") and len(given) > 2 and not self._known_as(given.partition("=")[0]):
                raise self._unknown(given)
        usage = " ".join(self.format_usage().split()).removeprefix("usage: ")
        raise UsageError(readable(message), usage, f"{self.prog} --help explains each option")

    def _known_as(self, beginning: str) -> list[str]:
        """The options with this prefix: argparse accepts unique prefixes."""
        return [option for option in self._option_string_actions if option.startswith(beginning)]

    def _unknown(self, given: str) -> UsageError:
        name = given.partition("=")[0]
        if not name.startswith("-"):
            todo = "write all such arguments together, before or after the options"
            return UsageError(f"{given!r} is unexpected", "no further argument", todo)
        known = self._known_as("--")
        todo = did_you_mean(name, known, f"see {self.prog} --help for what each does")
        return UsageError(f"unknown option {readable(name)}", f"one of {', '.join(known)}", todo)


def make_parser(file: str, doc: str | None, examples: str, *, search: bool = True, named: bool = True) -> Parser:
    """A parser with the arguments of all commands, and examples.

    Args:
        file: of the command; its stem is the command's name.
        doc: what it does.
        examples: one per line.
        search: whether it takes --store and --name.
        named: whether the search's name is required.
    """
    made = Parser(
        prog=f"qpm-tuner {Path(file).stem}",
        description=(doc or "").strip(),
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if search:
        made.add_argument("--store", default="runs", help=STORE_HELP)
        completed(made.add_argument("--name", required=named, help="name of the search"), searches)
    made.add_argument("-v", "--verbose", action="count", default=0, help="show more log messages; twice: all of them")
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    made.add_argument("--version", action="version", version=f"qpm-tuner {tuner.__version__}")
    return made


def add_json(made: argparse.ArgumentParser) -> None:
    """`--json`, for commands with a result to print."""
    made.add_argument("--json", action="store_true", help="print one JSON document, also for an error")


def add_recipe(made: argparse.ArgumentParser, more: str = "", *, required: bool = False) -> None:
    """`--recipe`, and overrides of its fields."""
    told = f"one of {', '.join(recipe_names())}, or a YAML file{more}"
    completed(made.add_argument("--recipe", required=required, help=told), lambda **_: recipes(RECIPES))
    completed(made.add_argument("overrides", nargs="*", metavar="field=value", help="overrides of the recipe"), fields)


def recipe_names() -> list[str]:
    """The presets, without importing the recipe reader, so that commands start fast."""
    return recipes(RECIPES)
