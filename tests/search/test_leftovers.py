"""Checkpoints and downloads of killed workers go; what somebody is at work on, or may go on with, stays."""

import os
import time

import psutil
import pytest

from tuner.search.driver import leftovers
from tuner.search.driver.leftovers import ABANDONED_S, FORGOTTEN_S, QUIET_S, clear_cache, clear_temporaries
from tuner.search.execute.plan import digest
from tuner.store import open_artifacts
from tuner.store.disk import locked


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    return open_artifacts(str(tmp_path / "store"))


def checkpoint(scratch, key, url, age_s):
    """A stage's checkpoint of some age."""
    folder = scratch / f"{key}-{digest(url)[:8]}"
    folder.mkdir(parents=True)
    (folder / "cpu-1.ckpt").write_text("epoch 3")
    for path in (folder / "cpu-1.ckpt", folder):
        os.utime(path, (time.time() - age_s,) * 2)
    return folder


def test_checkpoints_of_finished_stages_go_and_others_stay(artifacts, tmp_path):
    done, open_, made = "d" * 64, "e" * 64, tmp_path / "made"
    made.mkdir()
    (made / "model").write_text("weights")
    artifacts.publish("stages/dense", done, made, {})
    scratch, url = tmp_path / "scratch", artifacts.store.url
    goes = checkpoint(scratch, done, url, QUIET_S + 60)
    stays = [
        checkpoint(scratch, open_, url, FORGOTTEN_S - 60),
        checkpoint(scratch, done, "s3://elsewhere", QUIET_S + 60),
        checkpoint(scratch, "f" * 64, url, 0),
    ]
    forgotten = checkpoint(scratch, "a" * 64, url, FORGOTTEN_S + 60)
    clear_cache(artifacts, scratch)
    assert not goes.exists()
    assert not forgotten.exists()
    assert sorted(scratch.iterdir()) == sorted(stays)


def test_one_that_is_written_just_now_stays_though_another_has_finished_the_stage(artifacts, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    (made / "model").write_text("weights")
    artifacts.publish("stages/dense", "d" * 64, made, {})
    running = checkpoint(tmp_path / "scratch", "d" * 64, artifacts.store.url, 5)
    clear_cache(artifacts, tmp_path / "scratch")
    assert running.exists()


def test_downloads_that_were_cut_off_go_and_one_under_way_stays(artifacts, tmp_path):
    cache = artifacts.cache
    entry = cache.get("whole", 1, lambda folder: (folder / "file").write_text("x"))
    for name in ("dead.part", "alive.part"):
        (cache.folder / name).mkdir()
        (cache.folder / name / "file").write_text("half")
    with locked(cache.folder / ".locks" / "alive"):
        clear_cache(artifacts, tmp_path / "scratch")
        assert sorted(path.name for path in cache.folder.glob("[!.]*")) == ["alive.part", "whole"]
    clear_cache(artifacts, tmp_path / "scratch")
    assert (entry / "file").read_text() == "x"
    assert list(cache.folder.glob("*.part")) == []


@pytest.mark.parametrize("name", ["qpm-tuner-tune-2gblmzr9", "qpm-tuner-_3huea4g"])
@pytest.mark.parametrize("case", ["abandoned", "recent", "in it", "of a living Python", "open to others", "a link"])
def test_folders_of_killed_drivers_of_earlier_versions_go(tmp_path, monkeypatch, name, case):
    root, old_s = tmp_path / "tmp", time.time() - 2 * ABANDONED_S
    folder = root / name
    (folder / "trial" / "0").mkdir(parents=True)
    folder.chmod(0o755 if case == "open to others" else 0o700)
    (folder / "trial" / "0" / "params.json").write_text("{}")
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (old_s, old_s))
    if case == "recent":
        os.utime(folder)
    if case == "in it":
        os.utime(folder / "trial" / "0" / "params.json")
    if case == "of a living Python":
        monkeypatch.setattr(leftovers, "_pythons_began_s", lambda: iter([time.time(), old_s - 60.0]))
    if case == "a link":
        folder.rename(tmp_path / "precious")
        folder.symlink_to(tmp_path / "precious")
    goes = case == "abandoned"
    assert clear_temporaries(root) == ([folder] if goes else [])
    assert folder.exists() != goes


@pytest.mark.parametrize("name", ["qpm-tuner-0", "qpm-tuner-12345678", "qpm-tuner-results", "qpm-tuner-notes123.d"])
def test_what_is_no_such_folder_stays(tmp_path, name):
    """The cache of a user without a home, and what people name like that themselves: too short, too long, digits."""
    (tmp_path / name).mkdir(mode=0o700)
    os.utime(tmp_path / name, (0, 0))
    assert clear_temporaries(tmp_path) == []
    assert (tmp_path / name).exists()


def test_this_python_is_among_the_living():
    began_s = list(leftovers._pythons_began_s())
    assert any(abs(time_s - psutil.Process().create_time()) < 2.0 for time_s in began_s)
