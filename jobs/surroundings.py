"""What a command finds around it: a user without a name, `~` in a path, a reader of its output that has gone."""

import argparse
import getpass
import io
import os
import select
from typing import TextIO

from tuner.folders import at_home

FILES = ("export", "model", "out")


def settle(output: TextIO) -> None:
    """What neither a terminal's encoding nor a container's missing list of users may stop."""
    if isinstance(output, io.TextIOWrapper):
        output.reconfigure(errors="backslashreplace")
    try:
        getpass.getuser()
    except (KeyError, OSError):  # PyTorch, Ray and MLflow ask for it too, and give up
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"


def expand(parsed: argparse.Namespace) -> None:
    """`--out=~/x`: a shell leaves the ~ there to the program."""
    for name in FILES:
        if isinstance(path := getattr(parsed, name, None), str):
            setattr(parsed, name, at_home(path, f"--{name}"))


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
