"""No artifact changes under a key that stays: the number of its stage must be raised, and this test says which."""

import copy

import pytest

from tests.search.golden import load, stale, take

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def taken():
    return take()


def test_no_result_has_changed_under_its_number(taken):
    kept = load()
    assert not (complaint := stale(kept, taken)), complaint
    assert {n: f["code"] for n, f in kept.items()} == {n: f["code"] for n, f in taken.items()}, "run `make golden`"


@pytest.mark.parametrize(
    ("artifact", "entry"),
    [
        ("bank", "labels"),
        ("dense", "model/head.weight"),
        ("assign", "assignment/matrix"),
        ("finetune", "curves"),
        ("evaluate", "values"),
    ],
)
def test_a_change_is_seen_and_its_number_named(artifact, entry, taken):
    changed = copy.deepcopy(taken)
    changed[artifact]["content"][entry] = ["something else"]
    assert f"{artifact!r} has changed: raise " in stale(taken, changed)
    changed[artifact]["code"] += 1
    assert stale(taken, changed) == ""


def test_a_number_that_is_slightly_off_is_a_change(taken):
    changed = copy.deepcopy(taken)
    changed["assign"]["content"]["assignment"]["objective"] *= 1.0003  # 338.1364 and 338.2335 went by one key once
    assert "CODE_VERSIONS['assign']" in stale(taken, changed)
