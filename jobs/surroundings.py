"""Makes commands robust against their environment: nameless users, `~` in paths, closed or broken outputs."""

import argparse
import codecs
import getpass
import io
import os
import select
import signal
import sys
import threading
from typing import TextIO

from rich.console import Console

from tuner.base.folders import at_home

FILES = ("export", "model", "out")
PLAINLY = "qpm-tuner-plainly"
IN_ASCII = {"±": "+-", "×": "x", "−": "-", "–": "-", "…": "...", "→": "->", "·": "*"}
"""What is printed where an encoding lacks a character; of any other one, its code."""


class Screen(Console):
    """A console whose broken standard output ends the command as SIGTERM would."""

    def on_broken_pipe(self) -> None:
        """Called in the thread that prints; an exception reaches only the main thread."""
        self.quiet = True
        if self.stderr:
            return
        if threading.current_thread() is threading.main_thread():
            raise BrokenPipeError
        os.kill(os.getpid(), signal.SIGTERM)


def settle() -> None:
    """Prepare for closed streams, narrow encodings, and containers whose user has no name."""
    _open_closed()
    codecs.register_error(PLAINLY, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAINLY)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # PyTorch, Ray and MLflow ask too, and would fail
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replaces what an output cannot show, such as ± in a locale without UTF-8."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    told = "".join(IN_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in lacking)
    return told, error.end


def expand(parsed: argparse.Namespace) -> None:
    """Expand `--out=~/x`: a shell does not expand ~ there."""
    for name in FILES:
        if isinstance(path := getattr(parsed, name, None), str):
            setattr(parsed, name, at_home(path, f"--{name}"))


def _open_closed() -> None:
    """Open closed standard streams on /dev/null; otherwise the next opened file would get their number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def is_unread(output: TextIO) -> bool:
    """Whether the reader of the output has closed it, as `head` does; it is then redirected to /dev/null."""
    try:
        number = output.fileno()
    except OSError:  # not backed by a file
        return False
    poll = select.poll()
    poll.register(number, 0)
    gone = any(event & select.POLLERR for _, event in poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # otherwise the interpreter reports an error at exit
    return gone
