"""The broker's book-keeping of damaged artifacts; its runs are tested by whole searches."""

import time

import pytest

from tuner.search.plan import StageSpec
from tuner.search.stages import StageBroker
from tuner.store import Artifacts, open_store

SPEC = StageSpec("dense", {}, {}, 0)


@pytest.fixture
def artifacts(tmp_path):
    return Artifacts(open_store(str(tmp_path / "store")))


@pytest.fixture
def broker(artifacts, tmp_path):
    return StageBroker(artifacts.store.url, str(tmp_path), {})


@pytest.fixture
def publish(artifacts, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "model").write_text("weights")
    return lambda: artifacts.publish(SPEC.kind, SPEC.key, tmp_path / "made", {"seconds": 1.0})


def test_a_stored_stage_is_settled_and_a_damaged_one_removed(broker, artifacts, publish):
    publish()
    assert broker.request(SPEC, 0)["result"]["outcome"] == "complete"
    broker.remove(SPEC.kind, SPEC.key, time.monotonic())
    assert artifacts.find(SPEC.kind, SPEC.key) is None


def test_what_was_made_again_since_stays(broker, artifacts, publish):
    """Two trials meet the same damage; the slower one must not remove what the faster one had made again."""
    seen_s = time.monotonic()
    broker.remove(SPEC.kind, SPEC.key, seen_s)
    broker.started(SPEC, 0, ref=None)
    publish()
    broker.remove(SPEC.kind, SPEC.key, seen_s)  # it is being made
    assert artifacts.find(SPEC.kind, SPEC.key) is not None
    broker.settle(SPEC.key, {"outcome": "complete", "cause": None, "seconds": 1.0})
    broker.remove(SPEC.kind, SPEC.key, seen_s)  # it has been made
    assert artifacts.find(SPEC.kind, SPEC.key) is not None
    broker.remove(SPEC.kind, SPEC.key, time.monotonic())  # damaged once more
    assert artifacts.find(SPEC.kind, SPEC.key) is None
