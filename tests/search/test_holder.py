"""Whether a driver has died is told of this boot, host and view of processes alone; elsewhere it cannot be told."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuner.search.record import holder
from tuner.search.record.holder import is_gone, this_driver

ROOT = Path(__file__).parents[2]
HOLDER = "from tuner.search.record.holder import is_gone, this_driver; "
SLEEP = HOLDER + "import time; print(this_driver(), flush=True); time.sleep(600)"


@pytest.fixture
def other():
    """A process of this machine, and what it calls itself."""
    process = subprocess.Popen([sys.executable, "-c", SLEEP], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_living_process_is_there_and_a_dead_one_is_gone(other):
    process, name = other
    assert not is_gone(name)
    assert not is_gone(this_driver())
    process.send_signal(signal.SIGSTOP)
    assert not is_gone(name), "it is stopped, and may go on"
    process.kill()
    deadline = time.monotonic() + 60
    while not is_gone(name):  # a zombie, since nobody has asked for its end yet
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.wait()
    assert is_gone(name)


def test_a_number_that_another_process_has_by_now_is_gone():
    host, number, place, started = parts(this_driver())
    assert is_gone(f"{host} pid {number} ({place}, {int(started) - 1})")


def parts(name):
    found = holder._HOLDER.fullmatch(name)
    assert found is not None
    return found.groups()


def test_what_cannot_be_told_is_not_gone():
    host, _, place, _ = parts(this_driver())
    boot, space, times = place.split("+")
    free = 2**22 + 1  # no process can have this number
    assert is_gone(f"{host} pid {free} ({place}, 5)"), "here it could be told"
    for name in (
        f"{host} pid {free} ({boot}, 5)",  # as an earlier version called it
        f"{host} pid {free} ({boot}+{int(space) + 1}+{times}, 5)",
        f"{host} pid {free} (unknown, 5)",
        f"{host} pid {free} ({place}, unknown)",
        f"{host} pid {free} (b{boot[1:-1]}z+{space}+{times}, 5)",
        f"{host}x pid {free} ({place}, 5)",
        f"{host} pid {free}",
        f"{host} pid {10**30} ({place}, 5)",
        "",
        "somebody",
    ):
        assert not is_gone(name), name


def test_a_proc_that_hides_processes_or_shows_those_of_others_tells_nothing(monkeypatch):
    host, _, place, _ = parts(this_driver())
    with monkeypatch.context() as patch:
        patch.setattr(holder, "started_at", lambda pid: None)
        assert not is_gone(f"{host} pid {os.getppid()} ({place}, 5)"), "it lives, though /proc hides it"
    free = 2**22 + 1
    monkeypatch.setattr(os, "getpid", lambda: free)
    assert not is_gone(f"{host} pid {free} ({place}, 5)")
    assert "unknown" in this_driver()


def test_another_view_of_processes_on_a_host_of_the_same_name(other):
    """Containers with the host's name: each sees other numbers, and none can tell of the other."""
    inside = ["unshare", "--pid", "--fork", "--kill-child"]
    ask = HOLDER + "import sys; print(is_gone(sys.argv[1]), this_driver())"
    _, name = other

    def asked(*more):
        words = [*inside, *more, sys.executable, "-c", ask, name]
        found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if found.returncode:
            pytest.skip(f"no right to make a namespace here: {found.stderr.strip()[-200:]}")
        return found.stdout.strip().partition(" ")

    said, _, its_name = asked("--mount-proc")
    assert said == "False", "the driver lives; only its number is not to be seen in there"
    assert its_name.startswith(socket.gethostname())
    assert "unknown" not in its_name
    assert not is_gone(its_name), "from out here the one in there cannot be told of either"
    said, _, its_name = asked()  # with the /proc of out here
    assert said == "False"
    assert "unknown" in its_name
