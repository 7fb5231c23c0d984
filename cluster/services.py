"""Building blocks of the services: processes identified by id and start time, logs, ports, health checks."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import TunerError, UsageError

LOOPBACK = "127.0.0.1"
_children: dict[int, subprocess.Popen[bytes]] = {}  # children of this process, to be reaped when they end


@dataclass(frozen=True)
class Process:
    """A process group, identified by its leader's id and start time, since ids are reused.

    Attributes:
        pid: process and group id.
        began: start time in clock ticks since boot.
    """

    pid: int
    began: int

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return began(self.pid) == self.began

    def end(self, patience_s: float) -> None:
        """Terminate the group, and kill it after `patience_s` seconds; does nothing if it has ended."""
        if self.alive:
            deadline = time.monotonic() + patience_s
            os.killpg(self.pid, signal.SIGTERM)
            while self.alive and time.monotonic() < deadline:
                time.sleep(0.05)
            with contextlib.suppress(ProcessLookupError):  # the whole group ended in time
                os.killpg(self.pid, signal.SIGKILL)
        if self.pid in _children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # surviving workers; the id cannot be reused before `wait`
            _children.pop(self.pid).wait()


def spawn(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start a process in its own session, so that it outlives this one; its output is appended to the log."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    _children[child.pid] = child
    return Process(child.pid, began(child.pid) or 0)


def began(pid: int) -> int | None:
    """Start time of a running process in clock ticks since boot; None if it is not running."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(rest[18])


def wait_until(healthy: Callable[[], bool], process: Process, patience_s: float) -> bool:
    """Wait until a service is healthy; False if its process ended or `patience_s` has passed."""
    deadline = time.monotonic() + patience_s
    while not healthy():
        if not process.alive or time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def answers(url: str, token: str | None = None) -> int:
    """The HTTP status of a GET request: 200 OK, 401 token required; 0 if there is no answer."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def not_healthy(what: str, url: str, log: Path, patience_s: float, cause: str | None = None) -> TunerError:
    """The error for a service that did not start, with the last lines of its log."""
    return TunerError(
        f"{what} did not start: {cause or last_lines(log)}",
        f"an answer from {url} within {patience_s:g} s",
        f"read {log}",
    )


def last_lines(log: Path) -> str:
    """The last lines of a log, joined to one line."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "its log is empty"


def free_port(host: str = LOOPBACK) -> int:
    """An unused port."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def require_port(host: str, port: int, option: str) -> None:
    """Refuse a port in use, or a host that is not this machine.

    Raises:
        UsageError: the message says how to find the program that uses the port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise UsageError(f"{option} {port}: {error.strerror}", "a port above 1023", "choose another") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UsageError(
                    f"port {port} of {host} is taken",
                    "a free port",
                    f"end the program that uses it (ss -ltnp 'sport = :{port}' names it), or add {option} PORT",
                ) from None
            raise UsageError(
                f"--host {host}: {error.strerror}", "an address of this machine", "ip -brief address lists them"
            ) from None
