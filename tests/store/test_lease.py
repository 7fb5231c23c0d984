"""The lease: one driver, told by name; a dead one is followed, a lost one notices, clocks may differ."""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuner.errors import TunerError, UsageError
from tuner.store import Lease, LeaseHeld, Store, open_store, probe_conditional_put
from tuner.store import lease as lease_module
from tuner.store.local import LocalStore

TTL_S = 60.0  # longer than any test, so that a busy machine ends no lease
PATIENCE_S = 100.0


class ForgetfulStore(LocalStore):
    """A folder that accepts conditions and ignores them, as some S3 servers do."""

    def put_new(self, key: str, data: bytes) -> bool:
        self.put(key, data)
        return True

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        self.put(key, data)
        return "0"


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def record(store: Store) -> dict[str, Any]:
    return dict(json.loads(store.get("searches/digits/lease.json")))


def _drive_until_killed(store: Store, started: str) -> None:
    with Lease(store, "digits", "the first driver", 10.0):
        Path(started).touch()
        time.sleep(600)


def test_second_driver_is_told_who_and_since_when(store: Store) -> None:
    with Lease(store, "digits", "ana@host-1", TTL_S) as lease:
        with pytest.raises(LeaseHeld) as caught, Lease(store, "digits", "ben@host-2", TTL_S):
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


def test_a_lifetime_begins_with_the_last_heartbeat(store: Store) -> None:
    holder = {"holder": "ana", "since": "2001-01-01T00:00:00", "token": "a", "ttl_s": TTL_S, "beat": 10**6}
    store.put("searches/digits/lease.json", json.dumps(holder).encode())
    with pytest.raises(LeaseHeld, match="ana since 2001"), Lease(store, "digits", "ben"):
        pass


def test_who_got_no_processor_asks_before_giving_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    slept_s, real = 0.0, lease_module._clock_s
    monkeypatch.setattr(lease_module, "_clock_s", lambda: real() + slept_s)
    with Lease(store, "digits", "ana", TTL_S) as lease:
        slept_s = 10 * TTL_S
        assert not lease.lost, "nobody wanted it meanwhile"
        assert record(store)["beat"] == 1
        thief = {"holder": "ben", "since": "now", "token": "b", "ttl_s": TTL_S}
        store.put("searches/digits/lease.json", json.dumps(thief).encode())
        lease.check()  # not overdue again: the next heartbeat will notice
        slept_s = 20 * TTL_S
        with pytest.raises(LeaseHeld, match="taken over by ben"):
            lease.check()
    assert record(store)["holder"] == "ben"


def test_waiting_never_outlasts_a_living_holder(store: Store) -> None:
    with (
        Lease(store, "digits", "ana", 6.0),
        pytest.raises(LeaseHeld, match="ana"),
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
    with pytest.raises(LeaseHeld, match="the first driver"), Lease(store, "digits", "ben", TTL_S):
        pass
    with Lease(store, "digits", "ben", TTL_S, wait_s=PATIENCE_S) as lease:
        assert lease.taken_from is not None
        assert lease.taken_from.holder == "the first driver"


def test_of_many_that_take_over_one_wins(store: Store) -> None:
    dead = {"holder": "dead", "since": "long ago", "token": "t", "ttl_s": -1.0}
    store.put("searches/digits/lease.json", json.dumps(dead).encode())
    outcomes: list[str] = []
    start, done = threading.Barrier(6), threading.Barrier(6)

    def drive(number: int) -> None:
        start.wait()
        try:
            with Lease(store, "digits", f"driver {number}", 60.0):
                outcomes.append("drives")
                done.wait()
        except LeaseHeld:
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
        store.put("searches/digits/lease.json", json.dumps(thief).encode())
        until(lambda: lease.lost)
        with pytest.raises(LeaseHeld, match="ben"):
            lease.check()
    assert record(store)["holder"] == "ben"


def test_a_holder_that_cannot_renew_counts_as_lost(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    place = tmp_path / "store" / "searches" / "digits"
    lease = Lease(store, "digits", "ana", 1.0).__enter__()
    place.rename(tmp_path / "gone")
    place.write_text("a file where the folder was")
    until(lambda: lease.lost)
    with pytest.raises(TunerError, match="not renewed"):
        lease.check()
    with pytest.warns(UserWarning, match="ends by itself"):
        lease.__exit__(None, None, None)


def test_clocks_of_drivers_do_not_matter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second machine two hours ahead must not think that the holder has been silent for two hours."""
    with Lease(store, "digits", "ana", TTL_S):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 7200)
        with pytest.raises(LeaseHeld), Lease(store, "digits", "ben", TTL_S):
            pass


def test_damaged_lease_is_held_for_a_lifetime_only(store: Store) -> None:
    store.put("searches/digits/lease.json", b"{")
    with pytest.raises(LeaseHeld, match="damaged"), Lease(store, "digits", "ana", TTL_S):
        pass
    with Lease(store, "digits", "ana", 2.0, wait_s=PATIENCE_S) as lease:
        lease.check()


def test_store_that_ignores_conditions_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.store.lease._SETTLE_S", 0.2)
    store = ForgetfulStore(tmp_path)
    assert probe_conditional_put(store) is False
    with pytest.warns(UserWarning, match="ignores conditional writes"):
        lease = Lease(store, "digits", "ana", TTL_S).__enter__()
    second = Lease(store, "digits", "ben", TTL_S)
    with pytest.warns(UserWarning, match="ignores"), pytest.raises(LeaseHeld, match="ana"):
        second.__enter__()
    lease.__exit__(None, None, None)
    with pytest.warns(UserWarning, match="ignores"):
        second = Lease(store, "digits", "ben", 1.0).__enter__()
    until(lambda: record(store)["beat"] >= 2)
    second.check()
    second.__exit__(None, None, None)


def test_search_name_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Lease(open_store(tmp_path), "a/../b", "ana")
