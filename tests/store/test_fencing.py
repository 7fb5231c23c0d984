"""What a driver writes after it lost the search does not count, whatever the clocks say; nor does a day to come."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tuner.errors import TunerError
from tuner.store import Lease, LeaseHeldError, Ledger, Store, open_store
from tuner.store.ledger import _digest

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS


class Driver:
    """A driver's lease and ledger; `asleep`, its lease believes itself held."""

    def __init__(self, store: Store, name: str, held: ExitStack, **lease: Any) -> None:
        self.name = name
        self.lease = Lease(store, "digits", name, take_over=True, **lease)
        held.enter_context(self.lease)
        self.ledger = Ledger(store, "digits", compact_every=0)

    def begin(self) -> "Driver":
        self.past = self.ledger.begin(self.lease)
        self.say("search")
        return self

    def say(self, event: str, **more: Any) -> None:
        self.ledger.append({"event": event, "by": self.name, **more})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A folder: what counts is judged above the store, and tried on S3 once."""
    return open_store(tmp_path / "store")


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def said(store: Store, compacted: bool = False) -> list[str]:
    """Who said what, as a fresh reader has it."""
    ledger = Ledger(store, "digits")
    if compacted:
        ledger.compact()
        ledger = Ledger(store, "digits")
    return [f"{event.get('by', '?')} {event['event']}" for event in ledger.read()]


def warnings(store: Store) -> list[str]:
    ledger = Ledger(store, "digits")
    ledger.read()
    return ledger.warnings


def unheard(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver was stopped between looking at its lease and writing."""
    monkeypatch.setattr(driver.lease, "check", lambda: None)


def plant(store: Store, date_ns: int, event: dict[str, Any]) -> str:
    """Write an entry as a ledger would that has this time."""
    data = json.dumps(event).encode()
    key = f"searches/digits/ledger/{date_ns:020d}-{_digest(data)}.json"
    store.put(key, data)
    return key


@pytest.mark.parametrize("behind_s", [0, 7200, -7200])
def test_what_a_woken_driver_writes_is_ignored_and_named(
    store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch, behind_s: int
) -> None:
    ana = Driver(store, "ana", held).begin()
    ana.say("trial")
    ben = Driver(store, "ben", held).begin()
    assert [event["by"] for event in ben.past] == ["ana", "ana"]
    unheard(ana, monkeypatch)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - behind_s * 10**9)
    ana.say("outcome")
    monkeypatch.setattr(time, "time_ns", real)
    ben.say("outcome")
    expected = ["ana search", "ana trial", "ben search", "ben outcome"]
    assert said(store) == said(store, compacted=True) == expected
    (warning,) = warnings(store)
    assert "had lost the search (term 1)" in warning
    assert "ledger/" in warning
    cleo = Driver(store, "cleo", held).begin()
    assert len(cleo.past) == 4
    unheard(ben, monkeypatch)
    for late in (ana, ben):
        late.say("test")
    assert said(store) == [*expected, "cleo search"]
    assert len(warnings(store)) == 3


@pytest.mark.cluster
def test_it_is_the_same_on_s3(s3_store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    test_what_a_woken_driver_writes_is_ignored_and_named(s3_store, held, monkeypatch, 0)


def test_what_slips_in_between_reading_and_starting_is_ignored(
    store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = Driver(store, "ana", held).begin()
    ben = Driver(store, "ben", held)
    ben.ledger.begin(ben.lease)
    unheard(ana, monkeypatch)
    ana.say("trial")  # older than ben's start, and yet unread by him
    assert said(store) == ["ana search", "ana trial"]
    assert [event["event"] for event in ben.ledger.read()] == ["search"], "what he began with"
    ben.say("search")
    assert said(store) == ["ana search", "ben search"]


def test_a_driver_that_slept_before_its_first_word_has_lost_all_of_its_turn(
    store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    Driver(store, "zoe", held).begin()
    ana = Driver(store, "ana", held)
    ana.ledger.begin(ana.lease)
    ben = Driver(store, "ben", held).begin()
    unheard(ana, monkeypatch)
    ana.say("search")
    ana.say("trial")
    assert said(store) == ["zoe search", "ben search"]
    Driver(store, "cleo", held).begin()
    assert said(store) == ["zoe search", "ben search", "cleo search"]
    assert ben.lease.term == 3


def test_a_driver_that_was_robbed_writes_nothing(store: Store, held: ExitStack) -> None:
    ana = Driver(store, "ana", held).begin()
    Driver(store, "ben", held)
    before = list(store.list(ana.ledger.prefix))
    with pytest.raises(LeaseHeldError, match=r"lost the search.*taken over by ben") as caught:
        ana.say("outcome")
    assert caught.value.expected
    assert caught.value.todo
    late = Ledger(store, "digits")
    with pytest.raises(LeaseHeldError):
        late.begin(ana.lease)
    assert list(store.list(ana.ledger.prefix)) == before


def test_a_write_during_which_the_search_was_lost_is_not_acknowledged(
    store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else MLflow would be told of an event that does not count."""
    ana = Driver(store, "ana", held).begin()
    put_new = type(store).put_new

    def stopped(self: Store, key: str, data: bytes) -> bool:
        if b"outcome" in data:
            Driver(store, "ben", held).begin()
        return put_new(self, key, data)

    monkeypatch.setattr(type(store), "put_new", stopped)
    with pytest.raises(LeaseHeldError, match="taken over by ben"):
        ana.say("outcome")
    assert said(store) == ["ana search", "ben search"]


def test_terms_never_fall_behind_the_ledger_though_the_lease_was_deleted(
    store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ana", "ben"):
        last = Driver(store, name, held).begin()
    store.delete("searches/digits/lease.json")
    cleo = Driver(store, "cleo", held)
    assert cleo.lease.term == 1
    cleo.begin()
    assert cleo.lease.term == 3
    assert json.loads(store.get("searches/digits/lease.json"))["term"] == 3
    unheard(last, monkeypatch)
    last.say("trial")
    assert said(store) == ["ana search", "ben search", "cleo search"]
    assert Driver(store, "dan", held).lease.term == 4


def test_other_commands_are_never_fenced(store: Store, held: ExitStack) -> None:
    other = Ledger(store, "digits")
    ana = Driver(store, "ana", held).begin()
    other.append({"event": "pick", "by": "people"})
    Driver(store, "ben", held).begin()
    other.append({"event": "test", "command": "compare", "by": "people"})
    other.append({"event": "baseline", "command": "compare", "by": "people"})
    ana.ledger.end()
    ana.say("pick")
    assert said(store) == [
        *("ana search", "people pick", "ben search", "people test", "people baseline", "ana pick"),
    ]


def test_a_driver_reads_what_it_wrote_and_the_store_has_the_marks(store: Store, held: ExitStack) -> None:
    """MLflow knows events by their content, be they told as they happen or read later."""
    ana = Driver(store, "ana", held)
    ana.ledger.begin(ana.lease)
    events = [{"event": "search", "time_s": 1.0}, {"event": "trial", "trial": 0}]
    for event in events:
        ana.ledger.append(event)
    assert ana.ledger.read() == Ledger(store, "digits").read() == events
    first, second = (json.loads(store.get(key)) for key in sorted(store.list(ana.ledger.prefix)))
    assert (first["token"], first["term"], first["after"]) == (ana.lease.token, 1, {})
    assert (second["token"], second["term"]) == (ana.lease.token, 1)
    assert "after" not in second


def test_a_ledger_of_an_earlier_version_is_read_and_fenced_from_then_on(store: Store, held: ExitStack) -> None:
    old = Ledger(store, "digits")
    for event in ("search", "trial", "outcome"):
        old.append({"event": event, "by": "old"})
    past = ["old search", "old trial", "old outcome"]
    assert said(store) == past
    ben = Driver(store, "ben", held).begin()
    assert len(ben.past) == 3
    old.append({"event": "outcome", "by": "old"})
    old.append({"event": "pick", "by": "old"})
    assert said(store) == [*past, "ben search", "old pick"]
    assert "an earlier version" in warnings(store)[0]


def test_a_damaged_start_loses_itself_alone(store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    drivers = []
    for name in ("ana", "ben", "cleo", "dan"):
        drivers.append(Driver(store, name, held).begin())
        drivers[-1].say("trial")
    keys = sorted(store.list("searches/digits/ledger/"))
    whole = said(store)
    for place, key in enumerate(keys):
        data = store.get(key)
        store.put(key, data[:-2])
        assert said(store) == whole[:place] + whole[place + 1 :]
        store.put(key, data)
    unheard(drivers[0], monkeypatch)
    drivers[0].say("outcome")
    store.put(keys[2], b"{")  # ben's start, which says what ben had read of ana
    assert said(store) == whole[:2] + whole[3:]


@pytest.mark.parametrize(
    "date_ns",
    [10**20 - 1, time.time_ns() + 400 * DAY_NS, time.time_ns() + DAY_NS + HOUR_NS],
    ids=["all nines", "in 400 days", "in 25 hours"],
)
def test_an_entry_of_a_day_to_come_is_refused_for_good(
    store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch, date_ns: int
) -> None:
    Driver(store, "ana", held).begin()
    key = plant(store, date_ns, {"event": "outcome", "by": "nobody", "term": 99, "token": "t", "after": {}})
    assert said(store) == said(store, compacted=True) == ["ana search"]
    (warning,) = warnings(store)
    assert key in warning
    assert "ahead" in warning
    ben = Driver(store, "ben", held).begin()
    ben.say("trial")
    now_ns, real = time.time_ns(), time.time_ns
    assert all(int(k[-42:-22]) <= now_ns for k in store.list(ben.ledger.prefix) if k != key), "sane dates"
    expected = ["ana search", "ben search", "ben trial"]
    assert said(store) == expected
    monkeypatch.setattr(time, "time_ns", lambda: max(real(), date_ns) + HOUR_NS)  # its day has come
    assert said(store) == expected
    assert key in warnings(store)[0]
    monkeypatch.setattr(time, "time_ns", real)
    Driver(store, "cleo", held).begin()
    assert said(store) == [*expected, "cleo search"]


def test_a_clock_that_is_hours_ahead_is_lived_with(
    store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 20 * HOUR_NS)
    Driver(store, "ana", held).begin()
    monkeypatch.setattr(time, "time_ns", real)
    Driver(store, "ben", held).begin().say("trial")
    assert said(store) == ["ana search", "ben search", "ben trial"]
    assert warnings(store) == []


def test_a_clock_of_another_age_drives_nothing(store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = Driver(store, "ana", held).begin()
    for _ in range(4):
        ana.say("trial")
    before = list(store.list(ana.ledger.prefix))
    now_ns = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now_ns - 2 * 24 * 3600 * 10**9)
    with pytest.raises(TunerError, match=r"5 events .* are dated more than a day ahead of the clock of this machine"):
        Driver(store, "ben", held).begin()
    assert list(store.list(ana.ledger.prefix)) == before


def test_a_clock_that_is_days_behind_refuses_nothing_though_older_events_are_there(
    store: Store, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns, days_ns = time.time_ns(), 24 * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: now_ns - 5 * days_ns)
    cara = Driver(store, "cara", held).begin()
    cara.say("trial")
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    ana = Driver(store, "ana", held).begin()
    for _ in range(3):
        ana.say("trial")
    monkeypatch.setattr(time, "time_ns", lambda: now_ns - 3 * days_ns)
    with pytest.raises(TunerError, match="set this machine's clock"):
        Driver(store, "ben", held).begin()
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    assert len(said(store)) == 6


@pytest.mark.parametrize("content", ["[]", "7", "null", '"x"', "NaN", '{"event": NaN}', "{", "[" * 5000, "9" * 5000])
def test_what_is_no_event_is_named_and_left_out(store: Store, held: ExitStack, content: str) -> None:
    ana = Driver(store, "ana", held).begin()
    data = content.encode()
    key = f"searches/digits/ledger/{time.time_ns():020d}-{_digest(data)}.json"
    store.put(key, data)
    ana.say("trial")
    assert said(store) == said(store, compacted=True) == ["ana search", "ana trial"]
    assert key in warnings(store)[0]


@pytest.mark.parametrize(
    "odd",
    [
        {"token": 1, "term": 2},
        {"token": "", "term": 2},
        {"token": "x", "term": True},
        {"token": "x", "term": -1},
        {"token": "x", "term": 10**60, "after": 3, "follows": 4, "refused": 5},
        {"token": "x", "term": 1, "after": {"y": 1}, "refused": [1]},
        {"event": ["search"]},
        {"event": None},
    ],
)
def test_odd_marks_end_nothing(store: Store, held: ExitStack, odd: dict[str, Any]) -> None:
    plant(store, time.time_ns(), {"event": "search", "by": "odd", **odd})
    ben = Driver(store, "ben", held).begin()
    ben.say("trial")
    assert said(store)[-2:] == ["ben search", "ben trial"]
    assert len(ben.past) == 1


def test_entries_have_their_keys(store: Store, held: ExitStack) -> None:
    ana = Driver(store, "ana", held).begin()
    ana.say("trial")
    found = Ledger(store, "digits").entries()
    assert [key for key, _ in found] == sorted(store.list(ana.ledger.prefix))
    assert [event["event"] for _, event in found] == ["search", "trial"]
