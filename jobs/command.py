"""What all commands share: arguments, the search they speak of, and errors in three parts without a traceback."""

import argparse
import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console

import tuner
from jobs import program
from jobs.flags import in_flags
from jobs.surroundings import Screen, expand, is_unread, settle
from tuner.base.private import NoPlace, private_temporaries
from tuner.base.progress import ConsoleProgress, never_silent
from tuner.base.secrets import hide, holds_secret
from tuner.errors import TunerError, UsageError
from tuner.search.driver.interrupts import EXIT_CODE, Interrupts

if TYPE_CHECKING:
    from tuner.search.record.home import SearchHome

Run = Callable[[argparse.Namespace], int]
UNREAD = 141  # as a program that SIGPIPE ends
LOG_WIDTH = 160


class _Parser(argparse.ArgumentParser):
    """Repeats what was typed, as all parsers do, without the passwords in it."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        super().error(readable(message))


def readable(text: str) -> str:
    """A text to be printed: without passwords, and without what steers a terminal or turns a line around."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in hide(text))


def parser(
    file: str, doc: str | None, examples: str, *, search: bool = True, named: bool = True
) -> argparse.ArgumentParser:
    """An argument parser with `--debug`, examples, and if `search` the search's address, required if `named`."""
    made = _Parser(
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


def refuse_secret(address: str) -> None:
    """Refuse an address with a password on the command line.

    Raises:
        UsageError: there is one in it.
    """
    if holds_secret(address):
        raise UsageError(
            "--tracking-uri holds a user, a password or a key (not shown here), and everybody on this machine can read "
            "a command line",
            "an address without them",
            "set the whole address in MLFLOW_TRACKING_URI instead",
        )


def recipe_names() -> str:
    """The presets, for a help text: without loading what reads them, so that a command speaks at once."""
    return ", ".join(sorted(path.stem for path in (Path(tuner.__file__).parent / "recipes").glob("*.yaml")))


def home_of(arguments: argparse.Namespace) -> "SearchHome":
    """The search that --store and --name speak of; it must exist."""
    from tuner.search.record.home import open_home
    from tuner.store import open_store

    told = terminal(stderr=True)
    warn = partial(told.print, style="yellow", markup=False, highlight=False, soft_wrap=True)
    return open_home(open_store(arguments.store), arguments.name, warn)


def terminal(*, stderr: bool = False) -> Console:
    """Where people read: the terminal as wide as it is, or as COLUMNS says; a log wide enough for a table."""
    console = Screen(stderr=stderr)
    sized = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return console if sized else Screen(stderr=stderr, width=LOG_WIDTH)


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


def run(
    made: argparse.ArgumentParser, body: Run, arguments: Sequence[str] | None = None, *, tells: bool = False
) -> int:
    """Parse, run, and turn errors into three lines and an exit code: 2 usage, 1 failure, 130 interrupted, 141 unread.

    Args:
        made: the command's parser.
        body: the command; finds under `arguments.interrupts` what Ctrl-C asks for.
        arguments: instead of those of the process.
        tells: whether the command says by itself what it does; else somebody says every few seconds that it is at work.
    """
    settle()
    parsed = _parsed(made, arguments)
    telling = contextlib.nullcontext() if tells else never_silent(ConsoleProgress(terminal(stderr=True)), made.prog)
    with Interrupts(last=arguments is None) as parsed.interrupts, contextlib.ExitStack() as temporaries:
        try:
            expand(parsed)
            refuse_secret(getattr(parsed, "tracking_uri", ""))
            with contextlib.suppress(NoPlace):  # no place for one: a command that needs it says so
                temporaries.enter_context(private_temporaries())
            with telling:
                code = body(parsed)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            if is_unread(sys.stdout):
                return UNREAD
            print("interrupted; nothing that had ended is lost, and the same command carries on", file=sys.stderr)
            return EXIT_CODE
        except Exception as error:
            if isinstance(error, BrokenPipeError) and is_unread(sys.stdout):
                return UNREAD
            if parsed.debug:
                raise
            told = in_flags(error if isinstance(error, TunerError) else _told(error))
            print(f"error: {readable(str(told))}", file=sys.stderr)
            return told.exit_code


def _parsed(made: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; a help text that nobody reads to its end is left like other output."""
    try:
        return made.parse_args(arguments)
    except BrokenPipeError:
        if not is_unread(sys.stdout):
            raise
        sys.exit(UNREAD)


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
