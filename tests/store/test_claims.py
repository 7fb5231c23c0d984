"""Claims: one of many makes an artifact, those that died keep nobody waiting, and nothing of them is left."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults import FaultProxy
from tuner.store import Claims, StoreError, open_store
from tuner.store import claims as module

DENSE, ASSIGN = ("stages/dense", "a" * 32), ("stages/assign", "b" * 32)


@pytest.fixture
def claims(store):
    """Makes claimants of one store, quick ones; they are closed at the end."""
    made = []

    def one(holder="me", ttl_s=60.0, is_gone=lambda _: False):
        made.append(Claims(store, holder, ttl_s, is_gone))
        return made[-1]

    yield one
    for claimant in made:
        claimant.close()
    assert [key for key in store.list("claims/") if "beats" not in key] == []


def until(reached):
    deadline_s = time.monotonic() + 30.0
    while not reached():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def kill(claimant):
    """As SIGKILL does: it beats no more, and lets go of nothing."""
    claimant._beat = claimant._delete = lambda _: None


def test_one_claims_and_the_others_are_told_who(claims, store):
    one, two = claims("one"), claims("two")
    assert one.take([DENSE]) == (1, None)
    assert one.take([DENSE]) == (1, None), "it is one's own"
    assert two.take([DENSE, ASSIGN]) == (0, "one")
    assert two.holder_of(DENSE) == "one"
    assert two.holder_of(ASSIGN) is None, "nothing is held behind what is not had"
    one.release([DENSE])
    until(lambda: two.holder_of(DENSE) is None)
    assert two.take([DENSE, ASSIGN]) == (2, None)
    two.close()
    assert list(store.list("claims/stages/")) == []
    one.close()
    assert list(store.list("claims/")) == [], "nothing is left, beats included"


def test_of_many_that_claim_at_once_one_wins_each_row_in_order(claims):
    names = [("stages/dense", f"{n:032x}") for n in range(3)]
    claimants = [claims(f"number {n}") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda claimant: claimant.take(names)[0], claimants))
    assert sum(taken) <= 3
    holders = [claimants[0].holder_of(name) for name in names]
    assert sum(holder is not None for holder in holders) <= 3
    winner = claimants[max(range(6), key=taken.__getitem__)]
    assert winner.take([names[0]]) in ((1, None), (0, holders[0]))


def test_what_was_published_is_let_go_of_a_while_later(claims, store, monkeypatch):
    """Whoever looked for the artifact just before, and claims it just after, is still sent back to look again."""
    monkeypatch.setattr(module, "LINGER_S", 0.5)
    one, two = claims("one"), claims("two")
    one.take([DENSE])
    one.done([DENSE])
    assert two.take([DENSE]) == (0, "one")
    until(lambda: two.take([DENSE]) == (1, None))


def test_a_claim_again_while_the_old_one_lingers_is_kept(claims, monkeypatch):
    """An artifact that was found damaged is made again."""
    monkeypatch.setattr(module, "LINGER_S", 0.2)
    one, two = claims("one"), claims("two")
    one.take([DENSE])
    one.done([DENSE])
    assert one.take([DENSE]) == (1, None)
    time.sleep(0.5)
    assert two.holder_of(DENSE) == "one"


def test_who_was_seen_silent_for_a_whole_lifetime_is_followed(claims, store, monkeypatch):
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    dead, quick, slow = claims("dead", 0.6), claims("quick", 0.6), claims("slow", 60.0)
    assert dead.take([DENSE])[0] == 1
    began_s = time.monotonic()
    while time.monotonic() - began_s < 1.2:
        assert quick.take([DENSE])[0] == 0, "it beats"
        time.sleep(0.05)
    kill(dead)
    killed_s = time.monotonic()
    until(lambda: quick.take([DENSE])[0] == 1)
    assert time.monotonic() - killed_s > 0.5
    assert slow.take([DENSE]) == (0, "quick")


def test_one_that_is_known_to_have_died_is_followed_at_once(claims):
    dead = claims("dead")
    dead.take([DENSE])
    kill(dead)
    assert claims("other").take([DENSE]) == (0, "dead")
    assert claims("neighbour", is_gone=lambda holder: holder == "dead").take([DENSE]) == (1, None)


DAMAGED = [b"", b"{", b"[1]", b"null", b"[" * 100_000, b"[" * 9_000, b"\xff", b'{"owner":' + b"9" * 9_000 + b"}"]
OWNERS = [3, "../x", "a" * 5000, "\u00e4", "\ud800", "a" * 16 + "\n", ["a"], None]
DAMAGED += [json.dumps({"owner": owner, "holder": "x"}).encode() for owner in OWNERS]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_claim_keeps_nobody_waiting(claims, store, content):
    store.put("claims/stages/dense/" + "a" * 32 + ".json", content)
    assert claims().holder_of(DENSE) is None
    assert claims().take([DENSE]) == (1, None)


def test_a_holder_is_shown_in_one_short_printable_line(claims, store):
    claim = {"owner": "0" * 16, "holder": "\x1b[2J\nlab7\ud800" + "x" * 5000}
    store.put("claims/stages/dense/" + "a" * 32 + ".json", json.dumps(claim).encode())
    store.put("claims/beats/" + "0" * 16 + ".json", b"1")
    told = claims().holder_of(DENSE)
    assert told == claims().take([DENSE])[1]
    assert told.isprintable()
    assert len(told) < 300
    store.delete("claims/stages/dense/" + "a" * 32 + ".json")


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_claim_stops_no_clearing_up(claims, store, content):
    """Which is done by the thread that also says that its owner lives."""
    key = "claims/stages/dense/" + "a" * 32 + ".json"
    store.put(key, content)
    claims()._clear({"dead"})
    store.delete(key)


def test_of_many_that_follow_one_that_died_one_wins(claims, store):
    store.put(f"claims/stages/dense/{'a' * 32}.json", json.dumps({"owner": "dead", "holder": "dead"}).encode())
    claimants = [claims(f"number {n}") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda claimant: claimant.take([DENSE]), claimants))
    assert [granted for granted, _ in taken].count(1) == 1


def test_what_was_taken_over_is_not_deleted_by_one_that_wakes(claims, store, monkeypatch):
    """A stopped process: its stage is run by another, and both may publish."""
    monkeypatch.setattr(module, "BEAT_S", 60.0)
    stopped, other = claims("stopped", 0.4), claims("other", 0.4)
    stopped.take([DENSE])
    until(lambda: other.take([DENSE])[0] == 1)
    stopped.release([DENSE])
    stopped.close()
    assert claims("third").take([DENSE]) == (0, "other")


def test_what_killed_ones_left_is_cleared_by_later_ones(claims, store, monkeypatch):
    dead, alive = claims("dead"), claims("alive")
    dead.take([DENSE])
    alive.take([ASSIGN])
    if (strange := store.local_path("claims/stages/assign/a.json")) is not None:
        strange.with_name("a file of somebody.json").write_text("{}")
    kill(dead)
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    beating = threading.Event()

    def beats():
        while not beating.wait(0.1):
            alive._beat(time.monotonic_ns())

    thread = threading.Thread(target=beats)
    thread.start()
    try:
        claims("later", 0.6).take([("banks", "c" * 32)])
        until(lambda: not store.stat(f"claims/stages/dense/{'a' * 32}.json"))
        until(lambda: not store.stat(f"claims/beats/{dead._owner}.json"))
        assert store.stat(f"claims/stages/assign/{'b' * 32}.json"), "of one that beats nothing is touched"
    finally:
        beating.set()
        thread.join()
        if strange is not None:
            strange.with_name("a file of somebody.json").unlink()


@pytest.mark.cluster
def test_a_row_costs_a_request_a_stage_to_claim_and_one_to_let_go(s3_server, s3_url, monkeypatch):
    with FaultProxy(s3_server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        claimant = Claims(open_store(s3_url), "me")
        claimant.take([("banks", "c" * 32)])  # the first one beats, too, and looks around
        time.sleep(0.5)
        before = len(proxy.requests)
        claimant.take([DENSE, ASSIGN])
        assert len(proxy.requests) - before == 2
        claimant.release([DENSE, ASSIGN])
        until(lambda: len(proxy.requests) - before == 4)
        claimant.close()


def test_a_store_that_fails_is_said_and_nothing_is_claimed(tmp_path):
    folder = tmp_path / "store"
    claimant = Claims(open_store(folder), "me")
    claimant.take([DENSE])
    (folder / "claims" / "stages" / "assign").write_text("in the way")
    with pytest.raises(StoreError):
        claimant.take([DENSE, ASSIGN])
    until(lambda: not (folder / "claims" / "stages" / "dense" / f"{'a' * 32}.json").exists())
    claimant.close()
