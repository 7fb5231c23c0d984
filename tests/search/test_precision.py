"""`precision: auto` is settled before a key is made, once for a search."""

import pytest

from tests.searches import tiny_recipe
from tuner.recipe import Recipe
from tuner.search.execute.plan import plan
from tuner.search.session.precision import adopt_precision, settle_precision

PARAMS = {"n_features": 6, "features_per_class": 2, "width": 24}


@pytest.fixture(params=[True, False], ids=["fast", "slow"])
def fast(request, monkeypatch):
    """A machine that computes bfloat16 fast, and one that does not."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("tuner.qpm.precision._fast_bfloat16", lambda device: request.param)
    return request.param


def precisions(recipe: Recipe) -> tuple[str, str]:
    return recipe.dense.precision, recipe.finetune.precision


def keys(recipe: Recipe) -> list[str]:
    return [spec.key for spec in plan(recipe.at(PARAMS), "bank")]


def test_auto_becomes_what_this_machine_computes_fast(fast):
    assert precisions(settle_precision(tiny_recipe())) == ("bfloat16" if fast else "float32",) * 2


def test_machines_that_differ_make_different_keys_and_equal_ones_equal_keys(fast, monkeypatch):
    here = keys(settle_precision(tiny_recipe()))
    assert keys(settle_precision(tiny_recipe())) == here
    monkeypatch.setattr("tuner.qpm.precision._fast_bfloat16", lambda device: not fast)
    assert not set(keys(settle_precision(tiny_recipe()))) & set(here)


def test_what_is_asked_for_is_kept(fast):
    asked = tiny_recipe("dense.precision=bfloat16", "finetune.precision=float32")
    assert settle_precision(asked) == asked


def test_protocol_paper_means_float32_unless_said_otherwise(fast):
    assert precisions(settle_precision(tiny_recipe("protocol=paper"))) == ("float32", "float32")
    said = tiny_recipe("protocol=paper", "dense.precision=bfloat16")
    assert precisions(settle_precision(said)) == ("bfloat16", "float32")


def test_a_search_that_is_carried_on_keeps_its_precision(fast):
    stored = tiny_recipe("dense.precision=bfloat16", "finetune.precision=float32")
    assert adopt_precision(tiny_recipe(), stored) == stored
    said = tiny_recipe("dense.precision=float32")
    assert precisions(adopt_precision(said, stored)) == ("float32", "float32")  # a change, which is then refused


def test_no_key_is_made_of_auto():
    with pytest.raises(AssertionError, match="keys need a resolved precision"):
        plan(tiny_recipe().at(PARAMS), "bank")
