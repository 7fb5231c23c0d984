"""The lease: one driver, told by name; a dead one is followed, a lost one notices, clocks may differ."""

import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tuner.errors import TunerError, UsageError
from tuner.store import Lease, LeaseHeld, Store, open_store, probe_conditional_put
from tuner.store.local import LocalStore

TTL_S = 3.0  # S3 tells time in whole seconds


class ForgetfulStore(LocalStore):
    """A folder that accepts conditions and ignores them, as some S3 servers do."""

    def put_new(self, key: str, data: bytes) -> bool:
        self.put(key, data)
        return True

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        self.put(key, data)
        return "0"


def _drive_until_killed(store: Store, started: str) -> None:
    with Lease(store, "digits", "the first driver", TTL_S):
        Path(started).touch()
        time.sleep(600)


def test_second_driver_is_told_who_and_since_when(store: Store) -> None:
    with Lease(store, "digits", "ana@host-1", TTL_S) as lease:
        with pytest.raises(LeaseHeld) as caught, Lease(store, "digits", "ben@host-2", TTL_S):
            pass
        record = json.loads(store.get("searches/digits/lease.json"))
        assert "ana@host-1" in caught.value.what
        assert record["since"] in caught.value.what
        assert not lease.lost
        lease.check()
        with Lease(store, "another", "ben@host-2", TTL_S):
            pass
    with Lease(store, "digits", "ben@host-2", TTL_S) as lease:
        assert lease.taken_from is None


def test_heartbeat_keeps_it_beyond_its_lifetime(store: Store) -> None:
    with Lease(store, "digits", "ana", TTL_S) as lease:
        time.sleep(TTL_S * 1.5)
        assert not lease.lost
        with pytest.raises(LeaseHeld), Lease(store, "digits", "ben", TTL_S):
            pass


def test_waiting_never_outlasts_a_living_holder(store: Store) -> None:
    with Lease(store, "digits", "ana", TTL_S):
        start = time.monotonic()
        with pytest.raises(LeaseHeld), Lease(store, "digits", "ben", TTL_S, wait_s=60):
            pass
        assert time.monotonic() - start < 20


@pytest.mark.chaos
def test_killed_driver_is_followed(store: Store, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    driver = context.Process(target=_drive_until_killed, args=(store, str(tmp_path / "started")))
    driver.start()
    while not (tmp_path / "started").exists():
        assert driver.is_alive()
        time.sleep(0.05)
    os.kill(driver.pid or 0, signal.SIGKILL)
    driver.join()
    with pytest.raises(LeaseHeld, match="the first driver"), Lease(store, "digits", "ben", TTL_S):
        pass
    with Lease(store, "digits", "ben", TTL_S, wait_s=30) as lease:
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
    with Lease(store, "digits", "ana", 1.0) as lease:
        thief = {"holder": "ben", "since": "now", "token": "b", "ttl_s": 60.0}
        store.put("searches/digits/lease.json", json.dumps(thief).encode())
        deadline = time.monotonic() + 20
        while not lease.lost and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(LeaseHeld, match="ben"):
            lease.check()
    assert json.loads(store.get("searches/digits/lease.json"))["holder"] == "ben"


def test_a_holder_that_cannot_renew_counts_as_lost(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    place = tmp_path / "store" / "searches" / "digits"
    lease = Lease(store, "digits", "ana", 1.0).__enter__()
    place.rename(tmp_path / "gone")
    place.write_text("a file where the folder was")
    time.sleep(1.5)
    assert lease.lost
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
    with Lease(store, "digits", "ana", TTL_S, wait_s=30) as lease:
        assert not lease.lost


def test_store_that_ignores_conditions_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.store.lease._SETTLE_S", 0.2)
    store = ForgetfulStore(tmp_path)
    assert probe_conditional_put(store) is False
    with pytest.warns(UserWarning, match="ignores conditional writes"):
        lease = Lease(store, "digits", "ana", 1.0).__enter__()
    second = Lease(store, "digits", "ben", 1.0)
    with pytest.warns(UserWarning, match="ignores"), pytest.raises(LeaseHeld, match="ana"):
        second.__enter__()
    time.sleep(1.2)
    assert json.loads(store.get("searches/digits/lease.json"))["beat"] >= 2
    lease.__exit__(None, None, None)


def test_search_name_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Lease(open_store(tmp_path), "a/../b", "ana")
