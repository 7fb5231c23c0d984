"""Instructions in every kind of store: numbers are taken once, whoever writes at the same time."""

import threading

from tuner.search.control.entries import folder, give, numbers, read
from tuner.search.control.inbox import Inbox
from tuner.search.control.now import Doing, Now, published, read_now


def test_people_who_write_at_once_do_not_overwrite_each_other(store):
    start = threading.Barrier(4)

    def ask(trial):
        start.wait()
        give(store, "birds", "skip", {"trial": trial}, "ada")

    people = [threading.Thread(target=ask, args=(trial,)) for trial in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    inbox = Inbox(store, "birds", [], lambda line: None)
    found = inbox.take()
    assert [instruction.number for instruction in found] == [1, 2, 3, 4]
    assert sorted(instruction.arguments["trial"] for instruction in found) == [0, 1, 2, 3]
    assert inbox.old == {1, 2, 3, 4}
    store.put(f"{folder('birds')}000005.json", b"{")
    inbox.look()
    (damaged,) = inbox.take()
    assert "not valid JSON" in damaged.problem
    assert read(store, "birds", 6) is None
    assert numbers(store, "bird") == ([], [])


def test_what_runs_now_is_gone_at_the_end(store, monkeypatch):
    monkeypatch.setattr("tuner.search.control.now.LOCAL_S", 0.01)
    monkeypatch.setattr("tuner.search.control.now.REMOTE_S", 0.01)
    now = Now("3/4 trials", {3: Doing("dense 1/2 3 s", "dense", "lab7 pid 4711", 3.0)})
    with published(store, "birds", lambda: now, lambda line: None):
        while (found := read_now(store, "birds")) is None:
            pass
    assert (found.summary, found.trials) == (now.summary, now.trials)
    assert 0.0 <= found.age_s < 60.0
    assert read_now(store, "birds") is None
