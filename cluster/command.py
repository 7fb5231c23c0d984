"""Shared parts of the cluster's commands: arguments, and error messages without tracebacks."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.settings import DEFAULT_FOLDER
from tuner.errors import TunerError


def parser(file: str, doc: str | None, examples: str) -> argparse.ArgumentParser:
    """An argument parser with `--folder`, `--debug` and examples."""
    made = argparse.ArgumentParser(
        prog=f"python -m cluster.{Path(file).stem}",
        description=(doc or "").strip(),
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--folder", default=DEFAULT_FOLDER, help=f"state of the cluster (default: {DEFAULT_FOLDER})")
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


def run(
    made: argparse.ArgumentParser, body: Callable[[argparse.Namespace], int], arguments: Sequence[str] | None = None
) -> int:
    """Parse and run; errors are printed and give an exit code: 2 usage, 1 failure, 130 interrupted."""
    parsed = made.parse_args(arguments)
    try:
        return body(parsed)
    except TunerError as error:
        if parsed.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if parsed.debug:
            raise
        told = TunerError(
            f"{error.strerror or error} {error.filename or ''}".rstrip(),
            "a writable folder with free space",
            "choose another --folder, or free some space",
        )
        print(f"error: {told}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; python -m cluster.status shows what is running", file=sys.stderr)
        return 130
