"""The commands, `qpm-tuner NAME ...` or `python -m jobs.NAME ...`: each parses, calls tuner, and prints."""
# PYTHON_ARGCOMPLETE_OK

import importlib
import os
import sys
from pathlib import Path
from types import TracebackType

if (os.environ.get("RAY_ADDRESS", "").strip().lower() or "local") == "local":
    # Ray's own switch for "this node is alone": it then listens on loopback only. Read when ray is first imported.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

NAMES = (
    *("search", "list", "status", "control", "trial", "front", "confirm", "pick", "diff", "report"),
    *("compare", "explain", "export", "data", "extract", "doctor"),
)


def _end_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C while Python still loads the command, before `jobs.command.run` installs its handler: no traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted before anything was started", file=sys.stderr, flush=True)
        os._exit(130)
    sys.__excepthook__(kind, error, trace)


def _is_the_program() -> bool:
    """Whether this process is one of the commands; a program that only imports them keeps its own hooks."""
    started = Path(sys.argv[0] if sys.argv else "")
    return started.name in ("-m", "qpm-tuner") or started.parent.name == "jobs"


IS_PROGRAM = _is_the_program()

if IS_PROGRAM:
    sys.excepthook = _end_quietly


def main() -> int:
    """`qpm-tuner NAME ...`: run `jobs.NAME`."""
    if "_ARGCOMPLETE" in os.environ:
        from jobs.completion import offer

        offer(NAMES)
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name not in NAMES:
        from jobs.overview import show

        return show(name, NAMES)
    sys.argv = [f"qpm-tuner {name}", *sys.argv[2:]]
    return int(importlib.import_module(f"jobs.{name}").main())
