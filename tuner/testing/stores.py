"""What every store promises, as a test class: somebody's own store is tested by what the stores of this package are.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)

Each test gets a store with nothing in it. Needs pytest.
"""

import multiprocessing
import pickle
import threading
import time
from pathlib import Path

import pytest

from tuner.errors import UsageError
from tuner.store import MissingKeyError, Store, open_store, probe_conditional_put
from tuner.store.store import for_each


def _count(store: Store, times: int) -> None:
    """Add to a number in the store, as two drivers would."""
    for _ in range(times):
        while True:
            stat = store.stat("count")
            assert stat is not None
            value = int(store.get("count"))
            if store.replace("count", str(value + 1).encode(), stat.version):
                break


class StoreContract:
    """The tests; a subclass gives the fixture `store`.

    Attributes:
        across_processes: whether the store can be reached from other processes, by `open_store` of its `url`. A search
            needs that; a store in the memory of one process, which serves tests, has not got it.
    """

    across_processes = True

    @pytest.fixture
    def store(self) -> Store:
        """An empty store."""
        raise NotImplementedError("a subclass of StoreContract gives the fixture `store`, an empty store")

    def test_bytes_come_back(self, store: Store) -> None:
        """What was written is read, also nothing at all."""
        data = bytes(range(256)) + b"\r\n\0"
        store.put("a/b.bin", data)
        assert store.get("a/b.bin") == data
        store.put("a/b.bin", b"")
        assert store.get("a/b.bin") == b""

    def test_missing_key_names_key_and_store(self, store: Store, tmp_path: Path) -> None:
        """A key that is not there is named, and leaves no file."""
        with pytest.raises(MissingKeyError, match="a/none") as caught:
            store.get("a/none")
        assert store.url in caught.value.what
        with pytest.raises(MissingKeyError):
            store.download("a/none", tmp_path / "file")
        assert not (tmp_path / "file").exists()
        assert store.stat("a/none") is None

    def test_put_new_keeps_what_is_there(self, store: Store) -> None:
        """`put_new` writes once."""
        assert store.put_new("x", b"first") is True
        assert store.put_new("x", b"second") is False
        assert store.put_new("x", b"first") is False
        assert store.get("x") == b"first"

    def test_of_racing_creators_one_wins(self, store: Store) -> None:
        """Of many `put_new` at once, one succeeds, and its bytes are there."""
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

    def test_replace_needs_the_version(self, store: Store) -> None:
        """`replace` writes only over the version that it names."""
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

    def test_replace_of_a_deleted_key_fails(self, store: Store) -> None:
        """`replace` brings no deleted key back."""
        store.put_new("x", b"one")
        stat = store.stat("x")
        assert stat is not None
        store.delete("x")
        assert store.replace("x", b"two", stat.version) is None
        assert store.stat("x") is None

    def test_compare_and_swap_loses_no_update_between_processes(self, store: Store) -> None:
        """Of many `replace` in several processes none is lost."""
        self._require_processes()
        store.put("count", b"0")
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=_count, args=(store, 15)) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        assert store.get("count") == b"45"

    def test_stat(self, store: Store) -> None:
        """`stat` tells size and time by the clock of the store."""
        store.put("x", b"12345")
        stat = store.stat("x")
        assert stat is not None
        assert stat.size == 5
        assert -2 < store.now() - stat.modified < 10
        assert abs(store.now() - time.time()) < 5, (
            "run the store on the machine of the tests, or set both clocks by NTP"
        )

    def test_list_by_prefix(self, store: Store) -> None:
        """`list` takes a prefix as letters, not as a folder."""
        keys = ["a-b", "a/b", "a/c/d", "ab", "b/1", "b/10", "b/2"]
        for key in keys:
            store.put(key, b"")
        for prefix in ("", "a", "a/", "a/c/", "b/1", "none/", "b/3"):
            assert sorted(store.list(prefix)) == [key for key in keys if key.startswith(prefix)]

    def test_list_beyond_one_page(self, store: Store) -> None:
        """`list` is complete, however many keys there are."""
        keys = [f"many/{number:04d}" for number in range(1005)]
        for_each(store, lambda key: store.put(key, b""), keys)
        assert sorted(store.list("many/")) == keys

    def test_delete_is_idempotent(self, store: Store) -> None:
        """`delete` of a key that is not there is fine."""
        store.put("a/x", b"")
        store.delete("a/x")
        store.delete("a/x")
        assert list(store.list("")) == []

    def test_large_file_round_trip(self, store: Store, tmp_path: Path) -> None:
        """A file of 40 MB comes back, and nothing is left beside it."""
        source, copy = tmp_path / "source", tmp_path / "deep" / "copy"
        source.write_bytes(bytes(range(251)) * 160_000)  # 40 MB: three parts on S3
        store.upload(source, "large")
        store.download("large", copy)
        assert copy.read_bytes() == source.read_bytes()
        assert [path.name for path in copy.parent.iterdir()] == ["copy"]

    @pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".hidden", "a\0b", "a\\b", "ä"])
    def test_keys_cannot_leave_the_root(self, store: Store, key: str, tmp_path: Path) -> None:
        """Keys that are no names are refused by every method."""
        for action in (store.get, store.stat, store.delete, lambda key: store.put(key, b"")):
            with pytest.raises(UsageError):
                action(key)
        with pytest.raises(UsageError):
            store.upload(Path(__file__), key)
        assert list(store.list("")) == []

    @pytest.mark.parametrize("prefix", ["../", "/", "a//", "a/../"])
    def test_prefixes_cannot_leave_the_root(self, store: Store, prefix: str) -> None:
        """So are prefixes."""
        with pytest.raises(UsageError):
            list(store.list(prefix))

    def test_travels_by_its_url(self, store: Store) -> None:
        """A store reaches other processes pickled, or by its address."""
        self._require_processes()
        store.put("x", b"1")
        assert pickle.loads(pickle.dumps(store)).get("x") == b"1"
        assert open_store(store.url).get("x") == b"1"
        assert open_store(store.url).url == store.url

    def test_conditional_put_is_kept(self, store: Store) -> None:
        """The probe that each search makes finds that conditions are kept."""
        assert probe_conditional_put(store) is True
        assert list(store.list("")) == []

    def _require_processes(self) -> None:
        if not self.across_processes:
            pytest.skip("this store is reached from one process only")
