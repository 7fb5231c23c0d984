"""What every store promises, tried on each: a folder and S3 must not be told apart by anybody above them."""

import multiprocessing
import pickle
import threading
import time
from pathlib import Path

import pytest

from tuner.errors import UsageError
from tuner.store import MissingKey, Store, open_store, probe_conditional_put
from tuner.store.store import for_each


def test_bytes_come_back(store: Store) -> None:
    data = bytes(range(256)) + b"\r\n\0"
    store.put("a/b.bin", data)
    assert store.get("a/b.bin") == data
    store.put("a/b.bin", b"")
    assert store.get("a/b.bin") == b""


def test_missing_key_names_key_and_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MissingKey, match="a/none") as caught:
        store.get("a/none")
    assert store.url in caught.value.what
    with pytest.raises(MissingKey):
        store.download("a/none", tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert store.stat("a/none") is None


def test_put_new_keeps_what_is_there(store: Store) -> None:
    assert store.put_new("x", b"first") is True
    assert store.put_new("x", b"second") is False
    assert store.put_new("x", b"first") is False
    assert store.get("x") == b"first"


def test_of_racing_creators_one_wins(store: Store) -> None:
    claims = [f"writer {number}".encode() for number in range(16)]
    start = threading.Barrier(len(claims))
    won: list[bytes] = []

    def create(claim: bytes) -> None:
        start.wait()
        if store.put_new("race", claim):
            won.append(claim)

    threads = [threading.Thread(target=create, args=(claim,)) for claim in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.get("race")] == won


def test_replace_needs_the_version(store: Store) -> None:
    store.put_new("x", b"one")
    first = store.stat("x")
    assert first is not None
    second = store.replace("x", b"two", first.version)
    assert second is not None
    assert second != first.version
    assert store.replace("x", b"three", first.version) is None
    assert store.get("x") == b"two"
    assert store.replace("x", b"three", second) is not None
    assert store.get("x") == b"three"


def test_replace_of_a_deleted_key_fails(store: Store) -> None:
    store.put_new("x", b"one")
    stat = store.stat("x")
    assert stat is not None
    store.delete("x")
    assert store.replace("x", b"two", stat.version) is None
    assert store.stat("x") is None


def _count(store: Store, times: int) -> None:
    """Add to a number in the store, as two drivers would."""
    for _ in range(times):
        while True:
            stat = store.stat("count")
            assert stat is not None
            value = int(store.get("count"))
            if store.replace("count", str(value + 1).encode(), stat.version):
                break


def test_compare_and_swap_loses_no_update_between_processes(store: Store) -> None:
    store.put("count", b"0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(store, 15)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert store.get("count") == b"45"


def test_stat(store: Store) -> None:
    store.put("x", b"12345")
    stat = store.stat("x")
    assert stat is not None
    assert stat.size == 5
    assert -2 < store.now() - stat.modified < 10
    assert abs(store.now() - time.time()) < 5, "the test's server runs on this machine"


def test_list_by_prefix(store: Store) -> None:
    keys = ["a-b", "a/b", "a/c/d", "ab", "b/1", "b/10", "b/2"]
    for key in keys:
        store.put(key, b"")
    for prefix in ("", "a", "a/", "a/c/", "b/1", "none/", "b/3"):
        assert sorted(store.list(prefix)) == [key for key in keys if key.startswith(prefix)]


def test_list_beyond_one_page(store: Store) -> None:
    keys = [f"many/{number:04d}" for number in range(1005)]
    for_each(store, lambda key: store.put(key, b""), keys)
    assert sorted(store.list("many/")) == keys


def test_delete_is_idempotent(store: Store) -> None:
    store.put("a/x", b"")
    store.delete("a/x")
    store.delete("a/x")
    assert list(store.list("")) == []


def test_large_file_round_trip(store: Store, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "deep" / "copy"
    source.write_bytes(bytes(range(251)) * 160_000)  # 40 MB: three parts on S3
    store.upload(source, "large")
    store.download("large", copy)
    assert copy.read_bytes() == source.read_bytes()
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".hidden", "a\0b", "a\\b", "ä"])
def test_keys_cannot_leave_the_root(store: Store, key: str, tmp_path: Path) -> None:
    for action in (store.get, store.stat, store.delete, lambda key: store.put(key, b"")):
        with pytest.raises(UsageError):
            action(key)
    with pytest.raises(UsageError):
        store.upload(Path(__file__), key)
    assert list(store.list("")) == []


@pytest.mark.parametrize("prefix", ["../", "/", "a//", "a/../"])
def test_prefixes_cannot_leave_the_root(store: Store, prefix: str) -> None:
    with pytest.raises(UsageError):
        list(store.list(prefix))


def test_travels_by_its_url(store: Store) -> None:
    store.put("x", b"1")
    assert pickle.loads(pickle.dumps(store)).get("x") == b"1"
    assert open_store(store.url).get("x") == b"1"
    assert open_store(store.url).url == store.url


def test_conditional_put_is_kept(store: Store) -> None:
    assert probe_conditional_put(store) is True
    assert list(store.list("")) == []
