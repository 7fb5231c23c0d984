"""Output of commands: terminal or log, one JSON document, errors in three parts, steps with their time."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from jobs.surroundings import Screen, is_unread
from tuner.base.progress import ConsoleProgress
from tuner.base.secrets import hide
from tuner.errors import TunerError

UNREAD = 141  # the exit code of a program killed by SIGPIPE
LOG_WIDTH = 160
CLOCK = "%Y-%m-%d %H:%M:%S"


def terminal(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal or COLUMNS; for a log, wide enough for a table."""
    console = Screen(stderr=stderr)
    sized = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return console if sized else Screen(stderr=stderr, width=LOG_WIDTH)


class StampedProgress(ConsoleProgress):
    """Shows steps on a terminal; in a log, each line begins with the local date and time."""

    def say(self, line: str) -> None:
        """Print a line; a log also gets the time."""
        super().say(self._stamped(line))

    def warn(self, line: str) -> None:
        """Print a line in yellow; a log also gets the time."""
        super().warn(self._stamped(line))

    def _stamped(self, line: str) -> str:
        return line if self.console.is_terminal else f"{time.strftime(CLOCK)} {line}"


def progress(*, stderr: bool = False) -> StampedProgress:
    """Progress of a command: on standard output, or on standard error if that holds a result."""
    return StampedProgress(terminal(stderr=stderr))


def readable(text: str) -> str:
    """A text that is safe to print: no passwords, no terminal control sequences, no bidirectional overrides."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in hide(text))


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")


def print_error(error: TunerError, *, as_json: bool) -> None:
    """An error in three lines on standard error; with --json also as JSON on standard output if it can be written."""
    print(f"error: {readable(str(error))}", file=sys.stderr)
    if as_json:
        parts = {name: readable(getattr(error, name)) for name in ("what", "expected", "todo")}
        with contextlib.suppress(OSError):  # what the three lines say is enough
            print_json({"error": parts})
            sys.stdout.flush()


def unread_is_fine(printing: Callable[[], object]) -> int:
    """Print; returns the exit code: UNREAD if the reader closed the pipe, 1 if the output cannot be written."""
    try:
        printing()
        sys.stdout.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError) and is_unread(sys.stdout):
            return UNREAD
        what = f"the output cannot be written ({error.strerror or error})"
        print_error(TunerError(what, "an output that takes it", "check where it goes, and free space"), as_json=False)
        return 1
    return 0
