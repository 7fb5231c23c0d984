"""Temporary files: this user's alone wherever they are, gone after a kill, and nobody else's are touched."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from tuner.base import files, private
from tuner.base.private import LOCK, NoPlaceError, choose_root, private_folder, private_temporaries, remove_leftovers

NOBODY = 65534
HOLDS = """
import sys
from tuner.base.private import private_temporaries
with private_temporaries() as folder:
    (folder / "checkpoint").write_text("half")
    print(folder.parent, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A place of this test alone; pytest's own folders have modes that nobody else can write to."""
    for name in ("RAY_TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def holder():
    """Starts a process that holds a private folder; returns it and the folder."""
    started = []

    def start():
        started.append(
            subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        return started[-1], Path(started[-1].stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def as_root():
    if os.getuid() != 0:
        pytest.skip("only root can act as another user; the modes are checked elsewhere in this file")


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
def test_nobody_else_enters_whatever_the_umask(umask, root):
    before = os.umask(umask)
    try:
        with private_folder() as folder:
            assert folder.parent.parent == root
            assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
            assert (folder.parent / LOCK).stat().st_mode & 0o077 == 0
            folder.chmod(0o777)  # as Ray does
            (folder / "session").mkdir(mode=0o777)
            files.write_private(folder / "token", "s3cret")
            assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert list(root.iterdir()) == []


def test_another_user_reads_and_replaces_nothing():
    as_root()
    with private_folder() as folder:
        folder.chmod(0o777)
        (folder / "session").mkdir()
        files.write_private(folder / "token", "s3cret")
        script = f"cat {folder}/token; ls {folder}; mv {folder}/session {folder}/mine; echo evil > {folder}/token"
        other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sh", "-c", script]
        done = subprocess.run(other, capture_output=True, text=True, check=False)
        assert done.stderr.count("ermission denied") == 4
        assert done.stdout == ""
        assert (folder / "token").read_text() == "s3cret"
        assert (folder / "session").is_dir()


def test_what_a_killed_process_leaves_goes_at_the_next_start_and_a_living_ones_stays(root, holder):
    (dead, left), (_, kept) = holder(), holder()
    assert remove_leftovers(root) == []
    os.kill(dead.pid, signal.SIGKILL)
    dead.wait()
    assert (left / "t" / "checkpoint").exists()
    with private_folder():
        assert not left.exists()
        assert (kept / "t" / "checkpoint").read_text() == "half"


def test_what_cannot_be_removed_yet_is_tried_again(root, holder, monkeypatch):
    """Ray's processes outlive a killed driver by seconds, and write."""
    dead, left = holder()
    dead.kill()
    dead.wait()
    with monkeypatch.context() as late:
        late.setattr("shutil.rmtree", lambda *_, **__: None)
        assert remove_leftovers(root) == []
    assert remove_leftovers(root) == [left]
    assert not left.exists()


WRITES = """
import os, sys
from pathlib import Path
from tuner.base.private import private_temporaries
from tuner.store.disk import draft
with private_temporaries(), draft(Path(sys.argv[1]) / "a") as one, draft(Path(sys.argv[1]) / "b") as two:
    one.write_text("half")
    two.mkdir()
    (two / "file").write_text("half")
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), 9)
    one.rename(Path(sys.argv[1]) / "a")
"""


@pytest.mark.slow
def test_what_a_killed_process_was_writing_elsewhere_goes_too(root):
    store = root / "store"
    (store / "kept").mkdir(parents=True)
    (store / f".{'0' * 16}").write_text("of a process on another machine")
    before = sorted(store.rglob("*"))
    command = [sys.executable, "-c", WRITES, str(store)]
    assert subprocess.run([*command, "killed"], check=False).returncode == -signal.SIGKILL
    assert len(list(store.glob(".*"))) == 3
    with private_folder():
        assert sorted(store.rglob("*")) == before
    subprocess.run([*command, "lives"], check=True)
    assert sorted(store.rglob("*")) == sorted([*before, store / "a"])
    assert [path.name for path in root.iterdir()] == ["store"]


def test_a_note_removes_no_more_than_the_draft_it_names(root, holder):
    """Whatever a note says: a draft of that very name, and nothing behind a link."""
    dead, left = holder()
    precious = root / "precious"
    precious.mkdir()
    (precious / "data").touch()
    (root / f".{'1' * 16}").symlink_to(precious)
    (left / "drafts").mkdir()
    (left / "drafts" / f".{'0' * 16}").symlink_to(precious)
    (left / "drafts" / f".{'1' * 16}").symlink_to(root / f".{'1' * 16}")
    dead.kill()
    dead.wait()
    assert remove_leftovers(root) == [left]
    assert (precious / "data").exists()


def test_what_belongs_to_others_is_not_touched(root):
    for name, mode in (("qpm-tuner-mine", 0o700), ("qpmt-open", 0o755), ("qpmt-unmarked", 0o700)):
        (root / name).mkdir(mode=mode)
        (root / name / "data").write_text("precious")
    (root / "qpmt-open" / LOCK).touch()
    elsewhere = root / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / LOCK).touch()
    (root / "qpmt-link").symlink_to(elsewhere)
    (root / "qpmt-file").touch()
    before = sorted(root.rglob("*"))
    assert remove_leftovers(root) == []
    assert sorted(root.rglob("*")) == before


def test_another_users_leftovers_stay(root):
    as_root()
    theirs = root / "qpmt-theirs"
    theirs.mkdir(mode=0o700)
    (theirs / LOCK).touch()
    os.chown(theirs, NOBODY, NOBODY)
    assert remove_leftovers(root) == []
    assert theirs.is_dir()
    os.chown(theirs, 0, 0)
    assert remove_leftovers(root) == [theirs]


def test_a_folder_that_was_never_finished_goes_after_an_hour(root):
    (root / "qpmt-new").mkdir(mode=0o700)
    (root / "qpmt-old").mkdir(mode=0o700)
    os.utime(root / "qpmt-old", (0, 0))
    remove_leftovers(root)
    assert [path.name for path in root.iterdir()] == ["qpmt-new"]


@pytest.mark.slow
def test_many_starts_at_once_remove_nothing_that_lives(root):
    script = """
from tuner.base.private import private_folder
for _ in range(100):
    with private_folder() as folder:
        (folder / "a").write_text("mine")
        assert (folder / "a").read_text() == "mine"
"""
    many = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [process.wait(60) for process in many] == [0] * 4
    assert list(root.iterdir()) == []


def test_temporary_files_of_a_process_and_its_children_are_in_one_folder(root):
    print_it = "import tempfile; print(tempfile.gettempdir())"
    with private_temporaries() as folder, private_temporaries() as same:
        assert folder == same
        assert Path(tempfile.mkdtemp()).parent == folder
        child = subprocess.run([sys.executable, "-c", print_it], capture_output=True, text=True, check=True)
        assert child.stdout.strip() == str(folder)
        with private_folder(longest=200) as beside:
            assert beside.parents[1] == root, "a path within the other one would be long"
    assert os.environ["TMPDIR"] == str(root)
    assert tempfile.gettempdir() == str(root)
    assert list(root.iterdir()) == []


def unfit(root, reason):
    """A place of which there is something wrong, and how that is told."""
    place = root / "place"
    if reason == "No such file":
        return place
    if reason == "Not a directory":
        place.touch()
        return place
    if reason == "longer than":
        place = root / ("t" * 60)
    place.mkdir()
    if reason == "can rename files":
        place.chmod(0o777)
    if reason == "belongs to another user":
        as_root()
        os.chown(place, NOBODY, NOBODY)
    return place


@pytest.mark.parametrize(
    "reason",
    [
        "No such file",
        "Not a directory",
        "longer than",
        "can rename files",
        "belongs to another user",
        "an absolute path",
    ],
)
def test_a_place_that_will_not_do_is_passed_over_and_named(root, monkeypatch, reason):
    monkeypatch.setenv("TMPDIR", "here" if reason == "an absolute path" else str(unfit(root, reason)))
    monkeypatch.setattr(private, "ELSEWHERE", (str(root),))
    found, wrong = choose_root(longest=len(str(root)) + 30)
    assert found == root
    assert len(wrong) == 1
    assert reason in wrong[0]
    monkeypatch.setattr(private, "ELSEWHERE", ())
    with pytest.raises(NoPlaceError, match=reason) as caught:
        choose_root(longest=len(str(root)) + 30)
    assert "TMPDIR" in caught.value.todo


def test_a_full_place_is_passed_over(root, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage(10**9, 0, 10**9 if place != root else 64_000))
    monkeypatch.setattr(private, "ELSEWHERE", (str(root), "/var/tmp"))
    found, wrong = choose_root()
    assert found == Path("/var/tmp")
    assert "MB free" in wrong[0]


def test_the_wish_for_ray_comes_first_and_holds_for_ray_only(root, monkeypatch):
    (root / "ray").mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(root / "ray"))
    assert choose_root(None, "RAY_TMPDIR")[0] == root / "ray"
    assert choose_root()[0] == root
