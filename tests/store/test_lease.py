"""The lease: one driver, told by name; a dead one is followed, a lost one notices, clocks may differ."""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tuner.errors import TunerError, UsageError
from tuner.store import Lease, LeaseHeldError, Store, open_store, watch
from tuner.store import lease as lease_module
from tuner.store.tenure import read_tenure, usual_ttl_s

TTL_S = 60.0  # longer than any test, so that a busy machine ends no lease
PATIENCE_S = 100.0
KEY = "searches/digits/lease.json"


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def record(store: Store) -> dict[str, Any]:
    return dict(json.loads(store.get(KEY)))


def date_back(store: Store, seconds: float) -> None:
    """Date the lease's file back; on S3 nobody can."""
    if (path := store.local_path(KEY)) is not None:
        os.utime(path, (time.time() - seconds,) * 2)


def _drive_until_killed(store: Store, started: str) -> None:
    with Lease(store, "digits", "the first driver", 2.0):
        Path(started).touch()
        time.sleep(600)


def test_second_driver_is_told_who_and_since_when(store: Store) -> None:
    with Lease(store, "digits", "ana@host-1", TTL_S) as lease:
        with pytest.raises(LeaseHeldError) as caught, Lease(store, "digits", "ben@host-2", TTL_S):
            pass
        since = record(store)["since"]
        assert "ana@host-1" in caught.value.what
        assert since in caught.value.what
        assert not lease.lost
        lease.check()
        with Lease(store, "another", "ben@host-2", TTL_S):
            pass
    with Lease(store, "digits", "ben@host-2", TTL_S) as lease:
        assert lease.taken_from is None


def test_the_heart_beats(store: Store) -> None:
    with Lease(store, "digits", "ana", 2.0) as lease:
        first = record(store)
        until(lambda: record(store)["beat"] >= 5)  # beyond a lifetime
        lease.check()
        later = record(store)
        assert later == first | {"beat": later["beat"]}
    assert record(store)["released"]


def test_who_has_just_begun_to_look_knows_of_no_silence(store: Store) -> None:
    """Whatever the dates say: a holder of 2001 in a file of an hour ago may have a clock that stepped."""
    holder = {"holder": "ana", "since": "2001-01-01T00:00:00", "token": "a", "ttl_s": TTL_S, "beat": 10**6}
    store.put(KEY, json.dumps(holder).encode())
    date_back(store, 3600)
    with pytest.raises(LeaseHeldError, match="ana since 2001"), Lease(store, "digits", "ben"):
        pass


def test_who_was_stopped_between_two_looks_has_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that sleeps stops holder and watcher alike; the holder renews a moment after both have woken."""
    now_s = 1000.0
    monkeypatch.setattr(watch, "steady_s", lambda: now_s)
    watching = watch.Watch(60.0)
    assert not watching.is_silent("beat 1")
    now_s += 15.0
    assert not watching.is_silent("beat 1")
    now_s += 3600.0
    assert not watching.is_silent("beat 1")
    for _ in range(20):
        now_s += 1.0
        silent = watching.is_silent("beat 1")
    assert silent
    assert watching.silent_s("beat 2") == 0.0


def test_a_file_whose_date_steps_ends_no_lease(store: Store) -> None:
    """The store's clock is set, or somebody touches the file, between two heartbeats."""
    with Lease(store, "digits", "ana", 2.0) as lease:
        for seconds in (3600, -3600, 3600):
            date_back(store, seconds)
            with pytest.raises(LeaseHeldError, match="ana"), Lease(store, "digits", "ben", 2.0):
                pass
            beat = record(store)["beat"]
            lease.check()
            until(lambda beat=beat: record(store)["beat"] > beat)
            assert not lease.lost
        with pytest.raises(LeaseHeldError, match="ana"), Lease(store, "digits", "ben", 2.0, wait_s=600):
            pass
        lease.check()


def test_who_got_no_processor_asks_before_giving_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    slept_s, real = 0.0, lease_module.steady_s
    monkeypatch.setattr(lease_module, "steady_s", lambda: real() + slept_s)
    with Lease(store, "digits", "ana", TTL_S) as lease:
        slept_s = 10 * TTL_S
        assert not lease.lost, "nobody wanted it meanwhile"
        assert record(store)["beat"] == 1
        thief = {"holder": "ben", "since": "now", "token": "b", "ttl_s": TTL_S}
        store.put(KEY, json.dumps(thief).encode())
        assert not lease.lost  # not overdue again, and not asked
        with pytest.raises(LeaseHeldError, match="taken over by ben"):
            lease.check()
    assert record(store)["holder"] == "ben"


def test_waiting_never_outlasts_a_living_holder(store: Store) -> None:
    with (
        Lease(store, "digits", "ana", 6.0),
        pytest.raises(LeaseHeldError, match="ana"),
        Lease(store, "digits", "ben", 6.0, wait_s=600),  # which would outlast this test
    ):
        pass


@pytest.mark.chaos
def test_killed_driver_is_followed(store: Store, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    driver = context.Process(target=_drive_until_killed, args=(store, str(tmp_path / "started")))
    driver.start()
    until((tmp_path / "started").exists)
    os.kill(driver.pid or 0, signal.SIGKILL)
    driver.join()
    with pytest.raises(LeaseHeldError, match="the first driver"), Lease(store, "digits", "ben", TTL_S):
        pass
    with Lease(store, "digits", "ben", TTL_S, wait_s=PATIENCE_S) as lease:
        assert lease.taken_from is not None
        assert lease.taken_from.holder == "the first driver"


def test_of_many_that_take_over_one_wins(store: Store) -> None:
    dead = {"holder": "dead", "since": "long ago", "token": "t", "ttl_s": 1.0}
    store.put(KEY, json.dumps(dead).encode())
    outcomes: list[str] = []
    start, done = threading.Barrier(6), threading.Barrier(6)

    def drive(number: int) -> None:
        start.wait()
        try:
            with Lease(store, "digits", f"driver {number}", 60.0, wait_s=PATIENCE_S):
                outcomes.append("drives")
                done.wait()
        except LeaseHeldError:
            outcomes.append("held")
            done.wait()

    threads = [threading.Thread(target=drive, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["drives"] + ["held"] * 5


def test_the_robbed_holder_notices_and_leaves_the_thief_alone(store: Store) -> None:
    with Lease(store, "digits", "ana", 4.0) as lease:
        thief = {"holder": "ben", "since": "now", "token": "b", "ttl_s": 60.0}
        store.put(KEY, json.dumps(thief).encode())
        with pytest.raises(LeaseHeldError, match="ben"):
            lease.check()  # at once, not with the next heartbeat
        assert lease.lost
    assert record(store)["holder"] == "ben"


def test_a_lease_that_somebody_deleted_is_lost_with_a_word(store: Store) -> None:
    with Lease(store, "digits", "ana", 4.0) as lease:
        store.delete(KEY)
        with pytest.raises(LeaseHeldError, match="was deleted by another process"):
            lease.check()
    assert store.stat(KEY) is None, "and it is not written again"


def test_a_holder_that_cannot_renew_counts_as_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(tmp_path / "store")
    place = tmp_path / "store" / "searches" / "digits"
    lease = Lease(store, "digits", "ana", 1.0).__enter__()
    place.rename(tmp_path / "gone")
    place.write_text("a file where the folder was")
    until(lambda: lease.lost)
    with pytest.raises(TunerError, match="not renewed"):
        lease.check()
    lease.__exit__(None, None, None)
    assert "was not released and expires in" in caplog.text


def test_clocks_of_drivers_do_not_matter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second machine two hours ahead must not think that the holder has been silent for two hours."""
    with Lease(store, "digits", "ana", TTL_S):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 7200)
        with pytest.raises(LeaseHeldError), Lease(store, "digits", "ben", TTL_S):
            pass


def test_damaged_lease_is_held_for_a_lifetime_only(store: Store) -> None:
    store.put(KEY, b"{")
    with pytest.raises(LeaseHeldError, match="damaged"), Lease(store, "digits", "ana", TTL_S):
        pass
    with Lease(store, "digits", "ana", 2.0, wait_s=PATIENCE_S) as lease:
        lease.check()


HOSTILE = [
    b"",
    b"\xff\xfe\x00",
    b"[]",
    b"[" * 9_000,
    b'{"holder": 1}',
    b'{"holder": "ana", "ttl_s": {}, "beat": [], "term": "x", "token": null, "released": "yes", "more": 1}',
    b'{"holder": "a\\u001b[2J\\n", "since": [], "ttl_s": 1e999, "term": -5}',
    b'{"holder": "ana", "ttl_s": NaN, "term": 1e400}',
    b'{"holder": "ana", "ttl_s": ' + b"9" * 4000 + b"}",
    b'{"holder": "' + b"a" * 20_000 + b'"}',
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_a_lease_says_it_is_a_holder_that_ends(store: Store, data: bytes) -> None:
    store.put(KEY, data)
    with pytest.raises(LeaseHeldError) as caught, Lease(store, "digits", "ben", TTL_S):
        pass
    assert caught.value.what.isprintable()
    assert 1.0 <= read_tenure(data).ttl_s <= 600.0
    with Lease(store, "digits", "ben", TTL_S, take_over=True) as lease:
        lease.check()
        assert 0 < lease.term < 2**60
    assert record(store)["holder"] == "ben"


def test_a_huge_lifetime_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, json.dumps({"holder": "ana", "since": "x", "token": "a", "ttl_s": 1e12}).encode())
    with pytest.raises(LeaseHeldError, match="takes over after 600 s") as caught, Lease(store, "digits", "ben"):
        pass
    assert "`take_over=True`" in caught.value.todo
    with Lease(store, "other", "ben", 1e12):
        assert json.loads(store.get("searches/other/lease.json"))["ttl_s"] == 600.0
    for text in ("1e9", "nan", "0", "a minute"):
        monkeypatch.setenv("QPM_TUNER_LEASE_S", text)
        with pytest.raises(UsageError, match="QPM_TUNER_LEASE_S"):
            usual_ttl_s()
    monkeypatch.setenv("QPM_TUNER_LEASE_S", "5")
    assert usual_ttl_s() == 5.0


def test_a_lease_can_be_taken_over_with_a_word(store: Store) -> None:
    said: list[str] = []
    with Lease(store, "digits", "ana", TTL_S) as first:
        with Lease(store, "digits", "ben", TTL_S, take_over=True, tell=said.append) as second:
            assert second.term == first.term + 1
            assert second.taken_from is not None
            assert second.taken_from.holder == "ana"
            with pytest.raises(LeaseHeldError, match="taken over by ben"):
                first.check()
            second.check()
        assert len(said) == 1
        assert "from ana" in said[0]
        assert "ignored" in said[0]
    said.clear()
    with Lease(store, "digits", "cleo", TTL_S, take_over=True, tell=said.append) as third:
        assert third.term == 3
    assert said == []


def test_of_two_that_take_over_at_once_the_later_one_names_both(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with Lease(store, "digits", "ana", TTL_S), ExitStack() as held:
        late = Lease(store, "digits", "cleo", TTL_S, take_over=True, tell=said.append)

        def hurry(sentence: str) -> None:
            said.append(sentence)
            if len(said) == 1:
                held.enter_context(Lease(store, "digits", "ben", TTL_S, take_over=True))

        monkeypatch.setattr(late, "tell", hurry)
        with late:
            assert ["ana" in sentence for sentence in said] == [True, False]
            assert "from ben" in said[1]


def test_who_waits_says_for_whom_and_how_long(store: Store) -> None:
    said: list[str] = []
    store.put(KEY, json.dumps({"holder": "ana", "since": "noon", "token": "a", "ttl_s": 1.5}).encode())
    begun = time.monotonic()
    with Lease(store, "digits", "ben", TTL_S, wait_s=PATIENCE_S, tell=said.append) as lease:
        assert time.monotonic() - begun > 1.5
        assert lease.term == 1
    assert len(said) == 1
    assert "waiting for ana" in said[0]
    assert "1.5 s" in said[0]


def test_who_is_known_to_be_gone_is_followed_at_once(store: Store) -> None:
    store.put(KEY, json.dumps({"holder": "ana", "since": "noon", "token": "a", "ttl_s": TTL_S, "term": 7}).encode())
    with Lease(store, "digits", "ben", TTL_S, is_gone=lambda holder: holder == "ana") as lease:
        assert lease.term == 8


def test_search_name_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Lease(open_store(tmp_path), "a/../b", "ana")
