"""Running a command: its search, Ctrl-C, closed output pipes, and errors without a traceback."""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jobs import IS_PROGRAM
from jobs.flags import in_flags
from jobs.log import listening
from jobs.output import UNREAD, print_error, progress, unread_is_fine
from jobs.surroundings import expand, is_unread, settle
from tuner.base.private import NoPlaceError, private_temporaries
from tuner.base.progress import never_silent
from tuner.base.secrets import holds_secret
from tuner.errors import TunerError, UsageError
from tuner.search.driver.interrupts import EXIT_CODE, Interrupts

if TYPE_CHECKING:
    from tuner.search.record.home import SearchHome

Run = Callable[[argparse.Namespace], int]
LOOK_S = 2.0  # between looks at a search that has not begun


def refuse_secret(address: str) -> None:
    """Refuse an address with a password on the command line.

    Raises:
        UsageError: the address holds one.
    """
    if holds_secret(address):
        raise UsageError(
            "--tracking-uri contains a user, a password or a key (not shown here), and every user here can read "
            "a command line",
            "an address without credentials",
            "set the whole address in MLFLOW_TRACKING_URI instead",
        )


def home_of(arguments: argparse.Namespace, *, starting: bool = False, wait: bool = False) -> "SearchHome":
    """The search that --store and --name identify.

    Args:
        arguments: of the command.
        starting: whether one is enough whose driver has not come to its first trial yet.
        wait: whether to wait for such a driver, as long as it gives a sign of life.

    Raises:
        UsageError: there is none, or it is only starting.
    """
    from tuner.search.control.drivers import current_driver
    from tuner.search.record.home import SearchHome, open_home
    from tuner.store import open_store

    store, warn = open_store(arguments.store), progress(stderr=True).warn
    home, told = SearchHome(store, arguments.name, warn), False
    while not home.exists() and (driver := current_driver(store, home.name)).name:
        if starting:
            return home
        does = f"search {home.name!r} is starting: its driver, {driver.told()}, reads the data or extracts features"
        if not wait or driver.is_silent:
            todo = "try again when it has; qpm-tuner list shows it, and qpm-tuner control can stop or pause it already"
            raise UsageError(does, "a search that has begun", todo)
        if not told:
            progress(stderr=True).say(f"{does}; waiting until it has begun")
        told = True
        time.sleep(LOOK_S)
    return open_home(store, arguments.name, warn)


def run(
    made: argparse.ArgumentParser,
    body: Run,
    arguments: Sequence[str] | None = None,
    *,
    tells: bool | Callable[[argparse.Namespace], bool] = False,
) -> int:
    """Parse, run, and turn errors into three lines and an exit code: 2 usage, 1 failure, 130 interrupted, 141 unread.

    Args:
        made: the command's parser.
        body: the command; it reads Ctrl-C requests from `arguments.interrupts`.
        arguments: command-line arguments; None: those of the process.
        tells: whether the command reports its own progress, perhaps only with some arguments; if not, a line every few
            seconds says that it is working.
    """
    settle()
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    try:
        parsed = _parsed(made, arguments)
    except UsageError as error:
        print_error(error, as_json=as_json)
        return error.exit_code
    with Interrupts(last=IS_PROGRAM and arguments is None) as parsed.interrupts, contextlib.ExitStack() as held:
        held.enter_context(listening(getattr(parsed, "verbose", 0)))
        try:
            expand(parsed)
            refuse_secret(getattr(parsed, "tracking_uri", ""))
            with contextlib.suppress(NoPlaceError):  # no usable folder: a command that needs one reports it
                held.enter_context(private_temporaries())
            silent = tells(parsed) if callable(tells) else tells
            with contextlib.nullcontext() if silent else never_silent(progress(stderr=True), made.prog):
                code = body(parsed)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            if is_unread(sys.stdout):
                return UNREAD
            print("interrupted; finished work is kept, and the same command carries on", file=sys.stderr)
            return EXIT_CODE
        except Exception as error:
            if isinstance(error, BrokenPipeError) and is_unread(sys.stdout):
                return UNREAD
            if parsed.debug:
                raise
            told = in_flags(error if isinstance(error, TunerError) else _told(error))
            print_error(told, as_json=as_json)
            return told.exit_code


def _parsed(made: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The parsed arguments; a closed pipe ends a help text like any other output."""
    try:
        return made.parse_args(arguments)
    except BrokenPipeError:
        if not is_unread(sys.stdout):
            raise
        sys.exit(UNREAD)
    except SystemExit as ended:  # after --help or --version
        sys.exit(unread_is_fine(lambda: None) or ended.code)


def _told(error: Exception) -> TunerError:
    """An unexpected error in the three parts."""
    if isinstance(error, OSError):
        where = f" {error.filename!r}" if error.filename else ""
        expected = "a readable and writable path with free space"
        return TunerError(f"{error.strerror or error}{where}", expected, "check path, permissions and free space")
    if isinstance(error, MemoryError):
        todo = "lower batch sizes, adapter.width or budget.parallel, or use a larger machine"
        return TunerError("there is not enough memory", "memory for the feature bank and all running stages", todo)
    what = f"{type(error).__name__}: {error}"
    return TunerError(what, "no internal error: this is a bug", "run again with --debug and report the traceback")
