"""Errors of tasks on other nodes: returned like a result, with the node's name, and raised by the driver."""

import socket
from typing import Any

from ray.exceptions import RayTaskError

from tuner.errors import TunerError


def of_node(error: TunerError) -> TunerError:
    """The error, with the node where it happened."""
    return type(error)(f"on node {socket.gethostname()}: {error.what}", error.expected, error.todo)


def answer(answered: Any) -> Any:
    """What a task has returned, unless that is an error.

    Raises:
        TunerError: it is.
    """
    if isinstance(answered, TunerError):
        raise answered
    return answered


def cause_of(error: Exception) -> str:
    """Why a task failed, in one line: its own exception, or the death of its process or node."""
    cause = error.cause if isinstance(error, RayTaskError) and error.cause else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[-1] if lines else cause}"
