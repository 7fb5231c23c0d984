"""`qpm-tuner` without a command: the list of commands, the version, and suggestions for unknown words."""

import ast
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.output import print_error, unread_is_fine
from tuner import __version__
from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError

COMPLETION = 'eval "$(register-python-argcomplete qpm-tuner)"'


def show(name: str, names: Sequence[str]) -> int:
    """Print it; returns the exit code."""
    if name in ("--help", "-h", "help"):
        return unread_is_fine(lambda: _print_commands(names))
    if name == "--version":
        return unread_is_fine(lambda: print(f"qpm-tuner {__version__}"))
    what = f"unknown {'option' if name.startswith('-') else 'command'} {name!r}"
    known = [*names, "--help", "--version"]
    todo = did_you_mean(name, known, "see qpm-tuner --help for what each does")
    error = UsageError(what, f"one of {', '.join(known)}", todo)
    print_error(error, as_json="--json" in sys.argv)
    return error.exit_code


def _print_commands(names: Sequence[str]) -> None:
    print("usage: qpm-tuner COMMAND ...\n\ncommands:")
    for name in names:
        print(f"  {name:10}{_summary(name)}")
    print("\nqpm-tuner COMMAND --help explains one of them, and shows examples.")
    print(f"Completion of commands, options, recipes and searches, in bash or zsh:\n  {COMPLETION}")


def _summary(name: str) -> str:
    """What a command does, in one line, without importing it."""
    source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
