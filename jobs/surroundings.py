"""What a command finds around it: a user without a name, `~` in a path, an output that is closed or unread."""

import argparse
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


class Screen(Console):
    """Where people read. Once nobody reads its standard output any more, the command ends as SIGTERM would end it."""

    def on_broken_pipe(self) -> None:
        """Called in whichever thread prints; only the main thread can be told by an exception."""
        self.quiet = True
        if self.stderr:
            return
        if threading.current_thread() is threading.main_thread():
            raise BrokenPipeError
        os.kill(os.getpid(), signal.SIGTERM)


def settle() -> None:
    """What no terminal's encoding, no closed stream and no container's missing list of users may stop."""
    _open_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        getpass.getuser()
    except (KeyError, OSError):  # PyTorch, Ray and MLflow ask for it too, and give up
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"


def expand(parsed: argparse.Namespace) -> None:
    """`--out=~/x`: a shell leaves the ~ there to the program."""
    for name in FILES:
        if isinstance(path := getattr(parsed, name, None), str):
            setattr(parsed, name, at_home(path, f"--{name}"))


def _open_closed() -> None:
    """Streams that the caller closed lead nowhere; else the next file to be opened would be taken for one of them."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def is_unread(output: TextIO) -> bool:
    """Whether whoever read the output has gone, as `head` does; it is then given up for good."""
    try:
        number = output.fileno()
    except OSError:  # no file at all
        return False
    poll = select.poll()
    poll.register(number, 0)
    gone = any(event & select.POLLERR for _, event in poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # or the interpreter would complain at its end
    return gone
