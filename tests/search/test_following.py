"""A search is followed from its store alone: a look at each change, and a last one when nobody drives it any more."""

import contextlib
import json

import pytest

from jobs import front, trial
from tests.ledgers import COUNTS, finished, home_with, trial_events
from tuner.search.record.holder import this_driver
from tuner.search.record.home import SearchHome
from tuner.search.watch.following import follow
from tuner.store import Lease, StoreError, open_store

BETTER = {"accuracy": 96.5, "interpretability": 70.0, **COUNTS}  # beats trials 0 and 1
RUN_AGAIN = {"seed": 1, "split_seed": 0, "cause": None, "stages": [], "values": BETTER, "outcome": "complete"}


@pytest.fixture
def home(tmp_path):
    return home_with(tmp_path / "runs", finished())


def followed(home, *steps, watcher=None):
    """All looks at a search whose driver does one step between two of them, and then ends."""
    left = list(steps)
    with contextlib.ExitStack() as driving:
        driving.enter_context(Lease(home.store, home.name, this_driver()))
        left.append(driving.close)
        return list(follow(watcher or SearchHome(home.store, home.name), pause=lambda _: left.pop(0)()))


def appending(home, *events):
    return lambda: [home.ledger.append(event) for event in events]


def test_each_change_is_a_look_with_what_is_new(home):
    trial = trial_events(3, BETTER)
    confirmed = {"event": "confirmation", "trial": 3, "time_s": 150.0, **RUN_AGAIN}
    failed = trial_events(4, {}, outcome="failed", cause="no room", stage="dense", model=None, stages=[])
    looks = followed(
        home,
        appending(home, *trial),
        lambda: None,  # nothing happens: no look
        appending(home, confirmed, *failed),
        appending(home, {"event": "pick", "trial": 3, "time_s": 160.0, "reason": "It is good."}),
    )
    told = [[news.text for news in look.news] for look in looks]
    assert told[0] == [looks[0].line()]
    assert told[0][0].startswith("3 of 40 trials ended, 3 on the front, hypervolume ")
    assert f"driven by {this_driver().partition(' (')[0]}" in told[0][0]
    assert told[1] == [
        "trial 3 complete: accuracy 96.5 ±1.1 %, interpret. 70.0 %; on the front (2 members, "
        f"{looks[1].view.volume}); 4 of 40 trials",
        "trial 0 left the front, beaten by trial 3",
        "trial 1 left the front, beaten by trial 3",
    ]
    assert told[2] == [
        "trial 4 failed in dense: no room",
        "trial 3 run again with seed 1: complete: accuracy 96.5 ±1.1 %, interpret. 70.0 %",
    ]
    assert told[3] == ["trial 3 was picked"]
    assert told[4] == []
    assert [look.is_last for look in looks] == [False] * 4 + [True]
    assert looks[-1].end() == (
        "nobody drives the search: 5 of 40 trials have ended; the same search command carries on"
    )


def test_a_search_that_nobody_drives_is_looked_at_once(home):
    (look,) = follow(home, pause=lambda _: pytest.fail("it waits for nobody"))
    assert look.is_last
    assert [m.trial for m in look.view.members] == [0, 1, 2]


def test_a_driver_without_a_sign_of_life_ends_it(home):
    lease = Lease(home.store, home.name, "lab7 pid 4711", ttl_s=1.0)
    with lease:
        key = home.key("lease.json")
        held = home.store.get(key)
    home.store.put(key, held)  # as a machine leaves it that has lost power
    looks = list(follow(home, every_s=0.3))
    assert looks[-1].end().startswith("its driver, lab7 pid 4711, has given no sign of life for ")
    assert len(looks) == 2


def test_a_store_that_is_away_for_a_while_is_told_once_and_waited_for(home, monkeypatch):
    told = []
    watcher = SearchHome(home.store, home.name, told.append)
    whole = type(home.store).list

    def away():
        monkeypatch.setattr(type(home.store), "list", fail)

    def fail(*_):
        raise StoreError("no route to host", "a reachable store", "wait")

    def back():
        monkeypatch.setattr(type(home.store), "list", whole)

    looks = followed(home, away, lambda: None, back, appending(home, *trial_events(3, BETTER)), watcher=watcher)
    assert len(looks) == 3
    assert told == ["the store cannot be read (no route to host); still trying"]
    away()
    with pytest.raises(StoreError):
        next(follow(watcher))


def test_in_a_pipe_it_is_a_line_or_a_document_per_change(home, capsys):
    where = ["--store", home.store.url, "--name", home.name, "--watch"]
    assert front.main(where) == 0
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert line[20:].startswith("3 of 40 trials ended, 3 on the front")
    assert "nobody drives the search" in printed.err
    assert front.main([*where, "--json", "--objectives", "accuracy"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["objectives"], len(document["news"]), document["driver"]) == ({"accuracy": "max"}, 1, None)
    for wrong in (["--every", "0"], ["--every", "nan"]):
        assert front.main([*where, *wrong]) == 2
    assert front.main([*where[:-1], "--every", "3"]) == 2
    assert "--every 3 without --watch" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "words"), [(front, ["--watch"]), (trial, ["0", "--follow"])])
def test_who_follows_a_search_that_only_starts_waits_for_it(tmp_path, command, words, monkeypatch, capsys):
    """Its driver has the lease, and extracts features: the first look came too early, and the command ended."""
    store = open_store(str(tmp_path))
    with contextlib.ExitStack() as driving:
        driving.enter_context(Lease(store, "made-up", this_driver()))

        def begin(_):
            home_with(tmp_path, finished())
            driving.close()

        monkeypatch.setattr("jobs.command.time.sleep", begin)
        assert command.main(["--store", str(tmp_path), "--name", "made-up", *words]) == 0
    assert "waiting until it has begun" in capsys.readouterr().err
