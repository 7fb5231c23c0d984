"""What `ray job submit`, `python -m jobs.NAME` and `qpm-tuner NAME` start: each parses, calls tuner, prints."""

import importlib
import os
import sys
from pathlib import Path
from types import TracebackType

if (os.environ.get("RAY_ADDRESS", "").strip().lower() or "local") == "local":
    # Ray's own switch for "this node is alone": it then listens on loopback only. Read when ray is first imported.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def _end_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C while Python still loads the command, before `jobs.command.run` listens: no traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted before anything was begun", file=sys.stderr, flush=True)
        os._exit(130)
    sys.__excepthook__(kind, error, trace)


sys.excepthook = _end_quietly

NAMES = ("search", "status", "front", "pick", "report", "compare", "explain", "extract", "doctor")


def main() -> int:
    """`qpm-tuner NAME ...`: run `jobs.NAME`."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name not in NAMES:
        print("usage: qpm-tuner COMMAND ...\n\ncommands:")
        for command in NAMES:
            lines = (importlib.import_module(f"jobs.{command}").__doc__ or "").strip().splitlines()
            print(f"  {command:10}{lines[0]}")
        print("\nqpm-tuner COMMAND --help explains one of them.")
        return 0 if name in ("--help", "-h") else 2
    sys.argv = [f"qpm-tuner {name}", *sys.argv[2:]]
    return int(importlib.import_module(f"jobs.{name}").main())


def program(file: str) -> str:
    """How the running command is called, for its help."""
    return sys.argv[0] if sys.argv[0].startswith("qpm-tuner ") else f"python -m jobs.{Path(file).stem}"
