"""What would keep Ray from starting is named in three parts, and at once; what can be had otherwise is."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tuner.errors import TunerError
from tuner.search.session import surroundings
from tuner.search.session.surroundings import OF_A_START, require_surroundings

ASKS = """
import sys
from tuner.errors import TunerError
from tuner.errors import TunerError
from tuner.search.session import surroundings
try:
    print(getattr(surroundings, sys.argv[1])())
except TunerError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
AS_USER = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"] if os.getuid() == 0 else []


AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
AS_NOBODY += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"] if AS_NOBODY else []


def ask(check, before="", prefix=()):
    """Run a check in a process of its own; returns its exit code and what it said."""
    shell = ["sh", "-c", f'{before or "true"}; exec "$@"', "sh"]
    command = [*prefix, *shell, sys.executable, "-c", ASKS, check]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def unshared(kind):
    """The start of a command in a namespace of its own."""
    made = ["unshare", kind]
    if os.getuid() != 0:
        made.insert(1, "-r")
    if shutil.which("unshare") is None or subprocess.run([*made, "true"], capture_output=True, check=False).returncode:
        pytest.skip(f"this machine makes no namespace: unshare {kind}")
    return made


def test_here_all_is_well_and_each_check_tells_a_fact(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert require_surroundings() == "local"
    assert all(check() for _, check in OF_A_START)


@pytest.mark.slow
def test_too_few_processes_are_refused_or_raised():
    """Ray's control store would never answer, and Ray would be said to be slow after 90 s."""
    code, said = ask("processes", prefix=["prlimit", "--nproc=200:200", *AS_NOBODY])
    assert code == 2
    assert "at most 200 processes and threads (ulimit -u)" in said
    assert "raise the limit: ulimit -u" in said
    code, said = ask("processes", prefix=["prlimit", "--nproc=200:", *AS_NOBODY])
    assert code == 0, said
    if os.getuid() == 0:
        assert ask("processes", prefix=["prlimit", "--nproc=20:20"]) == (0, "unlimited\n"), "root's are not counted"


@pytest.mark.slow
def test_too_few_open_files_are_refused_or_raised():
    code, said = ask("open_files", "ulimit -n 64", AS_USER)
    assert code == 2
    assert "at most 64 files" in said
    assert "ulimit -n" in said
    code, said = ask("open_files", "ulimit -S -n 64")
    assert code == 0, "the user may raise it, and so do we"
    assert f"{surroundings.OPEN_FILES} at once" in said


@pytest.mark.slow
def test_too_small_files_are_refused():
    code, said = ask("file_size", "ulimit -f 200")
    assert code == 2
    assert "at most 0.1 MB" in said
    assert "ulimit -f unlimited" in said
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY:
        assert ask("file_size") == (0, "unlimited\n")


def test_a_machine_that_does_not_reach_itself_is_told():
    code, said = ask("loopback", prefix=unshared("-n"))
    assert code == 1
    assert "127.0.0.1" in said
    assert "ip link set lo up" in said


@pytest.mark.parametrize(("mount", "told"), [("ro", "cannot be written"), ("size=16m", "MB free")])
def test_shared_memory_that_cannot_be_used_is_done_without(mount, told):
    code, said = ask("shared_memory", f"mount -t tmpfs -o {mount} tmpfs /dev/shm", unshared("-m"))
    assert code == 0
    assert told in said
    assert "temporary folder" in said


def test_a_temporary_folder_that_is_full_too_long_or_gone_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    long = tmp_path / ("t" * 110)
    long.mkdir()
    for place, told in ((long, "longer than"), (tmp_path / "nowhere", "No such file")):
        monkeypatch.setenv("TMPDIR", str(place))
        found = surroundings.temporary_files()
        assert "/tmp" in found
        assert told in found


def test_rays_sockets_fit_into_the_longest_path_that_is_let_through():
    name = "/session_2026-11-28_11-12-20_923081_4194304/sockets/plasma_store"
    assert surroundings.FOLDER_BYTES + len(name) == 107


def test_a_cache_that_cannot_be_written_is_told_before_anything_else(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", Path("/proc/no")):
        monkeypatch.setenv("QPM_TUNER_CACHE", str(place))
        with pytest.raises(TunerError, match="cannot cache in") as caught:
            require_surroundings()
        assert "QPM_TUNER_CACHE" in caught.value.todo


def test_nothing_is_left_of_the_checks(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    require_surroundings()
    assert list(tmp_path.rglob("*")) == [tmp_path / "scratch"]
