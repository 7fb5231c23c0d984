"""What a folder can do to a store: fill up, refuse, be shared; nothing half-written may ever be seen."""

import errno
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner.errors import TunerError
from tuner.store import Artifacts, Ledger, Store, open_store


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip(f"cannot mount a small file system: {mount.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def _assert_told(error: TunerError, reason: str) -> None:
    assert reason in error.what
    assert error.expected
    assert error.todo


def _hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*") if path.name != ".lock"]


def test_full_disk(tiny_disk: Path, tmp_path: Path) -> None:
    store = open_store(tiny_disk)
    store.put("small", b"before")
    stat = store.stat("small")
    large = tmp_path / "large"
    large.write_bytes(bytes(2 * 2**20))
    assert stat is not None
    for action in (
        lambda: store.put("small", bytes(2 * 2**20)),
        lambda: store.put_new("large", bytes(2 * 2**20)),
        lambda: store.replace("small", bytes(2 * 2**20), stat.version),
        lambda: store.upload(large, "large"),
    ):
        with pytest.raises(TunerError) as caught:
            action()
        _assert_told(caught.value, "the disk is full")
        assert store.get("small") == b"before"
        assert list(store.list("")) == ["small"]
        assert _hidden(tiny_disk) == []
    store.put("after", b"there is room again")


def test_full_disk_under_artifacts(tiny_disk: Path, folder: Path) -> None:
    (folder / "large").write_bytes(bytes(2 * 2**20))
    artifacts = Artifacts(open_store(tiny_disk))
    with pytest.raises(TunerError, match="the disk is full"):
        artifacts.publish("banks", "k", folder, {})
    assert artifacts.find("banks", "k") is None
    (folder / "large").unlink()
    artifacts.publish("banks", "k", folder, {})


def test_full_disk_under_the_ledger(tiny_disk: Path) -> None:
    ledger = Ledger(open_store(tiny_disk), "digits", compact_every=0)
    for number in range(10):
        ledger.append({"number": number, "padding": "x" * 50_000})
    with pytest.raises(TunerError, match="the disk is full"):
        ledger.append({"number": 10, "padding": "x" * 1_000_000})
    ledger.append({"number": 11})
    fresh = Ledger(open_store(tiny_disk), "digits")
    assert [event["number"] for event in fresh.read()] == [*range(10), 11]
    assert fresh.warnings == []


def test_a_disk_too_full_for_the_ledgers_copy_takes_events(tiny_disk: Path) -> None:
    ledger = Ledger(open_store(tiny_disk), "digits", compact_every=1)
    for number in range(13):
        ledger.append({"number": number, "padding": "x" * 50_000})
    with pytest.raises(TunerError, match="the disk is full"):
        ledger.compact()
    assert [event["number"] for event in Ledger(open_store(tiny_disk), "digits").read()] == [*range(13)]


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from tuner.errors import TunerError
from tuner.store import open_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
store = open_store(Path(sys.argv[1]))
try:
    store.put("large", bytes(8192))
except TunerError as error:
    print(error.what)
store.put("small", bytes(4096))
print(list(store.list("")))
"""


def test_file_size_limit(tmp_path: Path) -> None:
    """Like a full disk, without root."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, tmp_path / "store"], cwd=root, capture_output=True, text=True, check=True
    )
    assert "larger than this system allows" in done.stdout
    assert done.stdout.endswith("['small']\n")
    assert _hidden(tmp_path / "store") == []


def test_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = open_store(tmp_path / "file" / "store")
    with pytest.raises(TunerError) as caught:
        store.put("x", b"")
    _assert_told(caught.value, "a file, not a folder")
    with pytest.raises(TunerError):
        store.now()
    (tmp_path / "folder").mkdir()
    with pytest.raises(TunerError, match="a folder, not a file"):
        open_store(tmp_path).get("folder")


def test_read_only_root(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root can write everywhere")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(TunerError, match="permission denied"):
        open_store(locked).put("x", b"")


def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path)
    store.put("open/x", b"")
    store.put("closed/x", b"")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(TunerError, match="permission denied"):
        list(store.list(""))


def test_read_only_disk(tiny_disk: Path) -> None:
    open_store(tiny_disk).put("x", b"1")
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    store = open_store(tiny_disk)
    assert store.get("x") == b"1"
    with pytest.raises(TunerError) as caught:
        store.put("x", b"2")
    _assert_told(caught.value, "read-only")
    with pytest.raises(TunerError, match="read-only"):
        store.delete("x")


def test_readers_never_see_half_a_write(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    values = [bytes([number]) * 300_000 for number in range(2)]
    store.put("x", values[0])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for value in values:
                store.put("x", value)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(store.get("x") in values for _ in range(200))
    finally:
        stop.set()
        writer.join()


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    store = open_store(tmp_path)
    wins: list[bool] = []
    threads = [threading.Thread(target=lambda: wins.append(store.put_new("x", b"1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [False] * 7 + [True]


def test_every_replacement_is_dated_after_the_last(tmp_path: Path) -> None:
    """Else a coarse clock and a reused inode could bring an old version back within a tick."""
    store = open_store(tmp_path)
    store.put_new("x", b"0")
    ahead_ns = (tmp_path / "x").stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "x", ns=(ahead_ns, ahead_ns))
    for number in range(3):
        stat = store.stat("x")
        assert stat is not None
        assert store.replace("x", str(number).encode(), stat.version) is not None
        assert (tmp_path / "x").stat().st_mtime_ns == ahead_ns + number + 1


def test_url_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store: Store = open_store("runs")
    assert store.url == str(tmp_path / "runs")
    assert open_store(f"file://{tmp_path}/a%20b").url == str(tmp_path / "a b")
    assert open_store("~/runs").url == str(Path.home() / "runs")
