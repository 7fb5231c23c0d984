"""The node cache: one download a node, a limit on its size, and no damage from processes that die."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tuner.base import pulse
from tuner.base.folders import cache_root
from tuner.errors import TunerError, UsageError
from tuner.store import Artifacts, Store
from tuner.store.cache import NodeCache, default_limit_bytes

SIZE = 1000


def _entry(cache: NodeCache, name: str) -> Path:
    return cache.get(name, SIZE, lambda folder: _write(folder / "data"))


def _write(path: Path) -> None:
    path.write_bytes(bytes(SIZE))


def _names(cache: NodeCache) -> list[str]:
    return sorted(path.name for path in cache.folder.glob("[!.]*"))


def test_least_recently_used_is_dropped(tmp_path: Path) -> None:
    cache = NodeCache(tmp_path, limit_bytes=3 * SIZE, grace_s=0.0)
    for name in ("a", "b", "c"):
        _entry(cache, name)
        time.sleep(0.02)
    _entry(cache, "a")
    time.sleep(0.02)
    _entry(cache, "d")
    assert _names(cache) == ["a", "c", "d"]
    cache.get("large", 3 * SIZE, lambda folder: (folder / "data").write_bytes(bytes(3 * SIZE)) and None)
    assert _names(cache) == ["large"]


def test_what_was_just_handed_out_is_kept_beyond_the_limit(tmp_path: Path) -> None:
    cache = NodeCache(tmp_path, limit_bytes=SIZE, grace_s=60.0)
    _entry(cache, "a")
    _entry(cache, "b")
    assert _names(cache) == ["a", "b"]


def test_memory_map_survives_eviction(tmp_path: Path) -> None:
    import numpy as np

    cache = NodeCache(tmp_path, limit_bytes=SIZE, grace_s=0.0)
    mapped = np.memmap(_entry(cache, "a") / "data", dtype=np.uint8, mode="r")
    time.sleep(0.02)
    _entry(cache, "b")
    assert _names(cache) == ["b"]
    assert mapped.sum() == 0


def test_failed_fill_leaves_no_entry(tmp_path: Path) -> None:
    cache = NodeCache(tmp_path, limit_bytes=SIZE)

    def fail(folder: Path) -> None:
        _write(folder / "data")
        raise TunerError("half way", "all of it", "again")

    with pytest.raises(TunerError, match="half way"):
        cache.get("a", SIZE, fail)
    assert not (tmp_path / "a").exists()
    assert (_entry(cache, "a") / "data").stat().st_size == SIZE
    assert _names(cache) == ["a"]


def _fill_forever(folder: Path, started: Path) -> None:
    def fill(part: Path) -> None:
        _write(part / "half")
        started.touch()
        time.sleep(600)

    NodeCache(folder, limit_bytes=SIZE).get("a", SIZE, fill)


@pytest.mark.chaos
def test_killed_download_is_done_again(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_fill_forever, args=(tmp_path / "cache", tmp_path / "started")
    )
    process.start()
    while not (tmp_path / "started").exists():
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    entry = _entry(NodeCache(tmp_path / "cache", limit_bytes=SIZE), "a")
    assert [path.name for path in entry.iterdir()] == ["data"]


class Counted:
    """A store that notes each download in a file, for all processes to see."""

    def __init__(self, store: Store, log: Path) -> None:
        self.store, self.log = store, log

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") or "store" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.store, name)

    def download(self, key: str, path: Path) -> None:
        with self.log.open("a") as log:
            log.write(f"{key}\n")
        self.store.download(key, path)


def _fetch(store: Counted, cache: Path, go_at: float) -> None:
    artifacts = Artifacts(store, cache)
    time.sleep(max(0.0, go_at - time.time()))
    assert (artifacts.fetch("banks", "k") / "sub" / "weights.bin").stat().st_size == 10240


@pytest.mark.cluster
@pytest.mark.slow
def test_eight_processes_download_a_bank_once(s3_store: Store, folder: Path, tmp_path: Path) -> None:
    Artifacts(s3_store, tmp_path / "cache").publish("banks", "k", folder, {})
    store = Counted(s3_store, tmp_path / "downloads")
    context = multiprocessing.get_context("spawn")
    arguments = (store, tmp_path / "cache", time.time() + 6)
    workers = [context.Process(target=_fetch, args=arguments) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert len((tmp_path / "downloads").read_text().splitlines()) == 3, "three files, once each"


def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "here"))
    assert cache_root() == tmp_path / "here"
    monkeypatch.setenv("QPM_TUNER_CACHE_GB", "2.5")
    assert default_limit_bytes() == 2_500_000_000
    for wrong in ("much", "0", "-1", "nan", "inf", ""):
        monkeypatch.setenv("QPM_TUNER_CACHE_GB", wrong)
        with pytest.raises(UsageError, match="QPM_TUNER_CACHE_GB"):
            default_limit_bytes()


def test_who_waits_for_another_process_to_fill_an_entry_gives_signs_of_life_as_long_as_it_fills(tmp_path):
    """A bank of many gigabytes is downloaded once a node; whoever waits for it is not to be taken for hung."""
    cache, filling, stuck, go = NodeCache(tmp_path, 1000), threading.Event(), threading.Event(), threading.Event()

    def fill(folder):
        filling.set()
        for size in range(20):
            (folder / "file").write_bytes(bytes(size))
            time.sleep(0.1)
        stuck.set()
        go.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "entry", 20, fill)
        filling.wait(60)
        before = pulse.count()
        second = pool.submit(cache.get, "entry", 20, fill)
        stuck.wait(60)
        assert pulse.count() - before >= 3
        time.sleep(1.0)
        silent = pulse.count()
        time.sleep(1.0)
        assert pulse.count() == silent, "the other one hangs, and so does this one"
        go.set()
        assert first.result() == second.result()
