"""What all commands share: arguments, the search they speak of, and errors in three parts without a traceback."""

import argparse
import io
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from jobs import program
from jobs.surroundings import expand, is_unread, settle
from tuner.errors import TunerError, UsageError
from tuner.search.home import SearchHome, open_home
from tuner.store import open_store

Run = Callable[[argparse.Namespace], int]
INTERRUPTED = 130
UNREAD = 141  # as a program that SIGPIPE ends
LOG_WIDTH = 160


def parser(
    file: str, doc: str | None, examples: str, *, search: bool = True, named: bool = True
) -> argparse.ArgumentParser:
    """An argument parser with `--debug`, examples, and if `search` the search's address, required if `named`."""
    made = argparse.ArgumentParser(
        prog=program(file),
        description=(doc or "").strip(),
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if search:
        made.add_argument("--store", default="runs", help="folder or s3://bucket/prefix (default: runs)")
        made.add_argument("--name", required=named, help="name of the search")
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


def home_of(arguments: argparse.Namespace) -> SearchHome:
    """The search that --store and --name speak of; it must exist."""
    return open_home(open_store(arguments.store), arguments.name)


def terminal(*, stderr: bool = False) -> Console:
    """Where people read: the terminal as wide as it is, or as COLUMNS says; a log wide enough for a table."""
    console = Console(stderr=stderr)
    sized = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return console if sized else Console(stderr=stderr, width=LOG_WIDTH)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")


def limits(items: Sequence[str]) -> dict[str, float]:
    """`PARAM=V` arguments as a dictionary; of two limits on the same, the lower one.

    Raises:
        UsageError: for one that is not of that form.
    """
    found: dict[str, float] = {}
    for item in items:
        name, _, value = (part.strip() for part in item.partition("="))
        try:
            if not (name and math.isfinite(limit := float(value))):
                raise ValueError(item)
            found[name] = min(limit, found.get(name, limit))
        except ValueError:
            raise UsageError(
                f"--at-most {item}", "PARAM=NUMBER, such as features_per_class=3", "write it in that form"
            ) from None
    return found


def run(made: argparse.ArgumentParser, body: Run, arguments: Sequence[str] | None = None) -> int:
    """Parse, run, and turn errors into three lines and an exit code: 2 usage, 1 failure, 130 interrupted."""
    parsed = made.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that is not UTF-8 is shown escaped, as on standard error
        sys.stdout.reconfigure(errors="backslashreplace")
    settle(sys.stdout)
    try:
        expand(parsed)
        code = body(parsed)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted; nothing that had ended is lost", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, BrokenPipeError) and is_unread(sys.stdout):
            return UNREAD
        if parsed.debug:
            raise
        told = error if isinstance(error, TunerError) else _told(error)
        print(f"error: {told}", file=sys.stderr)
        return told.exit_code


def _told(error: Exception) -> TunerError:
    """An error nobody foresaw, in the three parts."""
    if isinstance(error, OSError):
        where = f" {error.filename!r}" if error.filename else ""
        expected = "a readable and writable place with room"
        return TunerError(f"{error.strerror or error}{where}", expected, "check path, permissions and free space")
    if isinstance(error, MemoryError):
        todo = "lower batch sizes, adapter.width or budget.parallel, or use a larger machine"
        return TunerError("there is not enough memory", "room for the bank and what runs at once", todo)
    what = f"{type(error).__name__}: {error}"
    return TunerError(what, "no such error: this is a defect", "run again with --debug and report what it prints")
