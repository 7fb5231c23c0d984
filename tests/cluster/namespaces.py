"""A world of its own for programs that end processes by name and want well-known ports, as Ray's launchers do."""

import fcntl
import socket
import struct
import subprocess
import sys

import pytest

from tests.cluster.nodes import ROOT

ENTER = ("unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")
SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # linux/sockios.h, linux/if.h


def run_apart(module: str, *arguments: str, patience_s: float = 500.0) -> str:
    """Run `python -m module` in namespaces of its own, which end all that it started; returns what it printed."""
    if subprocess.run([*ENTER, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to make namespaces here")
    done = subprocess.run(
        [*ENTER, sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=patience_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def bring_up_loopback() -> None:
    """A fresh network namespace has a loopback device that is down: `ip link set lo up` without the program."""
    with socket.socket() as probe:
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
