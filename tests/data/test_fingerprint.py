"""Contents are hashed once and hashed again when they may have changed."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from tuner.base.steps import Step
from tuner.data import fingerprint
from tuner.data.fingerprint import Hasher
from tuner.data.place import S3Path
from tuner.data.remote_digests import digested_by, digests_told
from tuner.errors import TunerError


@pytest.fixture
def old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file old enough for its stat data to be trusted (only the clock is moved)."""
    file = tmp_path / "image.jpg"
    file.write_bytes(b"one")
    later = time.time_ns() + 10**10
    monkeypatch.setattr(time, "time_ns", lambda: later)
    return file


def test_content_decides(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    assert Hasher().digest(file) == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"two")  # at once, with the same size
    assert Hasher().digest(file) == hashlib.sha256(b"two").hexdigest()


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, old_file: Path) -> None:
    memory = tmp_path / "memory.json"
    digest = Hasher(memory).digest(old_file)
    known = json.loads(memory.read_text())
    known[str(old_file)][1] = "remembered"
    memory.write_text(json.dumps(known))
    assert Hasher(memory).digest(old_file) == "remembered"
    old_file.write_bytes(b"one, longer")
    assert Hasher(memory).digest(old_file) not in ("remembered", digest)


def test_a_forged_time_does_not_hide_a_change(tmp_path: Path, old_file: Path) -> None:
    memory = tmp_path / "memory.json"
    Hasher(memory).digest(old_file)
    status = old_file.stat()
    old_file.write_bytes(b"two")
    os.utime(old_file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Hasher(memory).digest(old_file) == hashlib.sha256(b"two").hexdigest()


def test_it_works_without_a_memory(tmp_path: Path, old_file: Path) -> None:
    memory = tmp_path / "memory.json"
    for content in ("[1]", "{half", ""):
        memory.write_text(content)
        assert Hasher(memory).digest(old_file) == hashlib.sha256(b"one").hexdigest()
    below_a_file = old_file / "memory.json"
    assert Hasher(below_a_file).digest(old_file) == hashlib.sha256(b"one").hexdigest()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TunerError, match=r"1 file cannot be read: .*gone"):
        Hasher().digests([tmp_path / "gone"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TunerError, match=r"2 files cannot be read: .*pipe \(not a file\)"):
        Hasher().digests([tmp_path / "pipe", tmp_path])
    assert Hasher().digests([tmp_path / "gone"], unreadable="") == {tmp_path / "gone": ""}


@pytest.mark.parametrize("every_s", [60.0, 0.0])
def test_what_was_hashed_before_an_interruption_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_s: float
) -> None:
    monkeypatch.setattr(fingerprint, "KEPT_EVERY_S", every_s)
    memory, objects = tmp_path / "memory.json", [S3Path("b", key) for key in "acd"]
    seen: list[bool] = []

    def interrupted(files):  # type: ignore[no-untyped-def]
        yield files[1], ("1 etag", "of c")  # in any order
        yield files[0], ("2 etag", "of a")
        seen.append(memory.exists())
        raise KeyboardInterrupt

    with digested_by(interrupted), pytest.raises(KeyboardInterrupt):
        Hasher(memory).each(objects)
    assert json.loads(memory.read_text()) == {"s3://b/c": ["1 etag", "of c"], "s3://b/a": ["2 etag", "of a"]}
    assert seen == [every_s == 0.0], "and every minute, for those that are killed"


def test_hashing_is_told_as_progress_of_a_step(tmp_path: Path) -> None:
    step, told = Step("reading the data"), []
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.write_bytes(file.name.encode())
    with digests_told(step):
        Hasher().each([])
        count = step.count
        step.count = lambda *given: (count(*given), told.append(str(step)))[0]  # type: ignore[method-assign]
        Hasher().each(files, unit="masks")
    assert [line.startswith(f"reading the data: hashing {n} of 3 masks, ") for n, line in enumerate(told)] == [True] * 3
    assert all("masks/s, ETA" in line for line in told[1:]), "no rate before the first"
    assert str(step).startswith("reading the data, "), "and is over"
