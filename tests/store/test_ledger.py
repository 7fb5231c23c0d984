"""The ledger: nothing is lost, nothing is rewritten, order holds, and damage is named instead of fatal."""

import multiprocessing
import pickle
import threading
import time
from pathlib import Path

import pytest

from tuner.errors import UsageError
from tuner.store import Ledger, Store
from tuner.store.local import LocalStore


def _append_many(store: Store, writer: int, count: int) -> None:
    ledger = Ledger(store, "digits")
    for number in range(count):
        ledger.append({"writer": writer, "number": number})


def test_events_come_back_in_order(store: Store) -> None:
    ledger = Ledger(store, "digits")
    events = [{"number": number, "text": "é\n", "nested": {"a": [1.5, None, True]}} for number in range(20)]
    for event in events:
        ledger.append(event)
    assert ledger.read() == events
    assert Ledger(store, "digits").read() == events
    assert Ledger(store, "other").read() == []


@pytest.mark.slow
def test_processes_append_at_once_without_loss(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(store, writer, 40)) for writer in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    events = Ledger(store, "digits").read()
    assert len(events) == 80
    for writer in range(2):
        assert [event["number"] for event in events if event["writer"] == writer] == list(range(40))


def test_equal_events_of_one_nanosecond_are_both_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    for _ in range(3):
        Ledger(store, "digits").append({"outcome": "complete"})
    assert len(Ledger(store, "digits").read()) == 3


def test_threads_share_a_ledger(store: Store) -> None:
    ledger = Ledger(store, "digits")
    threads = [threading.Thread(target=ledger.append, args=({"thread": number},)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event["thread"] for event in ledger.read()) == list(range(16))


def test_an_event_is_never_dated_before_what_was_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver on a machine whose clock is an hour behind carries on after the events it restored."""
    Ledger(store, "digits").append({"number": 1})
    behind = Ledger(store, "digits")
    behind.read()
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3600 * 10**9)
    behind.append({"number": 2})
    assert [event["number"] for event in Ledger(store, "digits").read()] == [1, 2]


def test_damaged_entries_are_named_and_the_rest_is_read(store: Store) -> None:
    ledger = Ledger(store, "digits", compact_every=0)
    for number in range(4):
        ledger.append({"number": number})
    keys = sorted(store.list(ledger.prefix))
    store.put(keys[0], store.get(keys[0])[:-3])
    store.put(keys[1], store.get(keys[1]).replace(b"1", b"7"))
    store.put(keys[2], b"")
    store.put(f"{ledger.prefix}stray.txt", b"hello")
    store.put(f"{ledger.prefix}moved/{keys[3].rpartition('/')[2]}", store.get(keys[3]))
    fresh = Ledger(store, "digits")
    assert fresh.read() == [{"number": 3}]
    assert len(fresh.warnings) == 5
    for key, warning in zip([*keys[:3], f"{ledger.prefix}moved/", "stray.txt"], fresh.warnings, strict=True):
        assert key in warning
    fresh.append({"number": 4})
    assert fresh.read()[-1] == {"number": 4}


def test_snapshot_is_only_a_copy(store: Store) -> None:
    ledger = Ledger(store, "digits")
    for number in range(5):
        ledger.append({"number": number})
    ledger.compact()
    ledger.append({"number": 5})
    everything = [{"number": number} for number in range(6)]
    assert Ledger(store, "digits").read() == everything
    snapshot = store.get(ledger.snapshot_key)
    for spoilt in (b"", b"\xff\xfe garbage", snapshot[: len(snapshot) // 2], snapshot.replace(b"2", b"9")):
        store.put(ledger.snapshot_key, spoilt)
        fresh = Ledger(store, "digits")
        assert fresh.read() == everything
        assert fresh.warnings == []
    store.delete(ledger.snapshot_key)
    assert Ledger(store, "digits").read() == everything


def test_compact_waits_until_it_is_worth_it(store: Store) -> None:
    ledger = Ledger(store, "digits", compact_every=0)
    for number in range(5):
        ledger.append({"number": number})
    ledger.compact(at_least=6)
    assert store.stat(ledger.snapshot_key) is None
    ledger.append({"number": 5})
    ledger.compact(at_least=6)
    first = store.get(ledger.snapshot_key)
    ledger.append({"number": 6})
    ledger.compact(at_least=2)
    assert store.get(ledger.snapshot_key) == first
    Ledger(store, "digits").compact()
    assert len(store.get(ledger.snapshot_key)) > len(first)


class CountingStore(LocalStore):
    """A folder that counts what is read from it."""

    n_reads = 0

    def get(self, key: str) -> bytes:
        self.n_reads += 1
        return super().get(key)


@pytest.mark.slow
def test_many_short_lived_writers_leave_few_single_events(tmp_path: Path) -> None:
    """Each trial's process appends a few events and ends; nobody but `append` itself can keep reading fast."""
    store = CountingStore(tmp_path)
    for number in range(1000):
        Ledger(store, "digits", compact_every=20).append({"number": number})
    store.n_reads = 0
    assert len(Ledger(store, "digits").read()) == 1000
    assert store.n_reads < 250, "the chance of more than 250 without a compaction is 0.95^250, 3 in a million"


def test_threads_append_and_compact_at_once(store: Store) -> None:
    ledger = Ledger(store, "digits", compact_every=3)
    threads = [threading.Thread(target=ledger.append, args=({"n": number},)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event["n"] for event in ledger.read()) == list(range(24))
    assert sorted(event["n"] for event in Ledger(store, "digits").read()) == list(range(24))


def test_an_event_deleted_by_hand_stays_deleted(store: Store) -> None:
    ledger = Ledger(store, "digits")
    ledger.append({"number": 0})
    ledger.append({"number": 1})
    ledger.compact()
    store.delete(sorted(store.list(ledger.prefix))[0])
    assert ledger.read() == Ledger(store, "digits").read() == [{"number": 1}]


@pytest.mark.parametrize("event", [{"x": float("nan")}, {"x": float("inf")}, {"x": object()}])
def test_what_is_not_json_is_refused(store: Store, event: dict[str, object]) -> None:
    ledger = Ledger(store, "digits")
    with pytest.raises(UsageError):
        ledger.append(event)
    assert ledger.read() == []


def test_names_are_checked_and_it_travels(store: Store) -> None:
    with pytest.raises(UsageError):
        Ledger(store, "../other")
    ledger = Ledger(store, "digits")
    ledger.append({"a": 1})
    assert pickle.loads(pickle.dumps(ledger)).read() == [{"a": 1}]
