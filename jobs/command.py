"""Running a command: the search it speaks of, Ctrl-C, output nobody reads, and errors without a traceback."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

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


def home_of(arguments: argparse.Namespace) -> "SearchHome":
    """The search that --store and --name speak of; it must exist."""
    from tuner.search.record.home import open_home
    from tuner.store import open_store

    return open_home(open_store(arguments.store), arguments.name, progress(stderr=True).warn)


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
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    try:
        parsed = _parsed(made, arguments)
    except UsageError as error:
        print_error(error, as_json=as_json)
        return error.exit_code
    telling = contextlib.nullcontext() if tells else never_silent(progress(stderr=True), made.prog)
    with Interrupts(last=arguments is None) as parsed.interrupts, contextlib.ExitStack() as held:
        held.enter_context(listening(getattr(parsed, "verbose", 0)))
        try:
            expand(parsed)
            refuse_secret(getattr(parsed, "tracking_uri", ""))
            with contextlib.suppress(NoPlaceError):  # no place for one: a command that needs it says so
                held.enter_context(private_temporaries())
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
            print_error(told, as_json=as_json)
            return told.exit_code


def _parsed(made: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; a help text that nobody reads to its end is left like other output."""
    try:
        return made.parse_args(arguments)
    except BrokenPipeError:
        if not is_unread(sys.stdout):
            raise
        sys.exit(UNREAD)
    except SystemExit as ended:  # after --help or --version
        sys.exit(unread_is_fine(lambda: None) or ended.code)


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
