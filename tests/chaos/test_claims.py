"""Two searches at once that share stages: each runs once, by whoever comes first; one that is killed keeps nobody."""

import signal

import pytest

from tests.chaos.invariants import manifests, nothing_half_written
from tests.drivers import PATIENCE_S, wait_until
from tests.searches import run_tiny
from tuner.search.record.home import SearchHome
from tuner.store import Artifacts, open_store

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(900)]

# Both have the whole space, so all but their order is common; the proposals of the second follow from another seed of
# proposals, as its number in flight differs.
SHARED = ("budget.trials=4", "tracking.enabled=false", "dense.epochs=40")


def state(root, name):
    return SearchHome(open_store(str(root)), name).state()


def stages_run(root, *names):
    """How often each stage was run rather than reused, by its key, in all searches together."""
    counted = {}
    for name in names:
        for trial in state(root, name).trials.values():
            for use in trial.stages:
                counted[use.key] = counted.get(use.key, 0) + (not use.reused)
    return counted


def start_named(start, root, name, *overrides):
    """A driver of a search by this name."""
    return start(root, *SHARED, *overrides, name=name)


def test_common_stages_of_two_searches_at_once_run_once_and_are_what_either_makes_alone(tmp_path, start):
    root = tmp_path / "runs"
    one = start_named(start, root, "one", "budget.parallel=1")
    two = start_named(start, root, "two", "budget.parallel=4")
    assert [driver.wait(PATIENCE_S * 2) for driver in (one, two)] == [0, 0]
    store = open_store(str(root))
    counted = stages_run(root, "one", "two")
    assert len(counted) == 1 + 3 * 4, "all four points of the space, on one dense stage"
    assert set(counted.values()) == {1}, "some stage ran in both"
    assert list(store.list("claims/")) == []
    nothing_half_written(store, tmp_path / "fresh")

    run_tiny(tmp_path / "alone", "alone", *SHARED, "budget.parallel=2")
    alone = Artifacts(open_store(str(tmp_path / "alone")))
    for key in manifests(store):
        if key.startswith("stages/"):
            kind, name, _ = key.rsplit("/", 2)
            assert alone.find(kind, name).digest == Artifacts(store).find(kind, name).digest, "another content"


def test_a_search_that_is_killed_keeps_no_other_waiting(tmp_path, start):
    root = tmp_path / "runs"
    killed = start_named(start, root, "killed")
    wait_until(lambda: any(open_store(str(root)).list("claims/stages/dense/")), killed)
    other = start_named(start, root, "other")
    killed.send_signal(signal.SIGKILL)
    assert other.wait(PATIENCE_S) == 0
    assert state(root, "other").counts() == {"complete": 4}
    assert start_named(start, root, "killed").wait(PATIENCE_S) == 0, "and its own claims do not keep it either"
    assert list(open_store(str(root)).list("claims/stages/")) == []
    assert set(stages_run(root, "other").values()) == {1}
