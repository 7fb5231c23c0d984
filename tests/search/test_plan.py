"""Stage keys: equal exactly when the result is."""

import pytest

from tuner.qpm.settings import ADDED_SINCE
from tuner.recipe import load_recipe
from tuner.search.execute.plan import evaluation, plan
from tuner.search.stages import CODE_VERSIONS

PARAMS = {"n_features": 20, "features_per_class": 3, "width": 48, "l1": 1.0}
PRECISE = ["dense.precision=float32", "finetune.precision=float32"]
STAGES = ["dense", "assign", "finetune", "evaluate"]


def keys(overrides=(), bank="bank", **params):
    recipe = load_recipe("digits", [*PRECISE, *overrides])
    return {spec.stage: spec.key for spec in plan(recipe.at(PARAMS | params), bank)}


@pytest.mark.parametrize(
    ("change", "first_changed"),
    [
        ({"n_features": 25}, "assign"),
        ({"features_per_class": 4}, "assign"),
        ({"l1": 2.0}, "finetune"),
        ({"width": 96}, "dense"),
        ({"bank": "other"}, "dense"),
        ({"overrides": ["seed=1"]}, "dense"),
        ({"overrides": ["dense.epochs=3"]}, "dense"),
        ({"overrides": ["assign.variant=paper"]}, "assign"),
        ({"overrides": ["assign.forced_pairs=2"]}, "assign"),
        ({"overrides": ["assign.forced_pairs=0"]}, None),
        ({"overrides": ["finetune.epochs=3"]}, "finetune"),
        ({"overrides": ["validation_fraction=0.3"]}, "dense"),
        ({"overrides": ["data.split_seed=3"]}, "dense"),
        ({"overrides": ["budget.trials=99", "resources.dense.cpus=2", "title=x"]}, None),
    ],
)
def test_a_setting_changes_the_keys_of_its_stage_and_of_those_behind_it(change, first_changed):
    before, after = keys(), keys(**change)
    changed = [stage for stage in STAGES if before[stage] != after[stage]]
    assert changed == (STAGES[STAGES.index(first_changed) :] if first_changed else [])


def test_code_versions_enter_the_key(monkeypatch):
    before = keys()
    monkeypatch.setitem(CODE_VERSIONS, "assign", 99)
    after = keys()
    assert [stage for stage in STAGES if before[stage] != after[stage]] == STAGES[1:]


def test_protocol_paper_measures_on_test():
    recipe = load_recipe("digits", [*PRECISE, "protocol=paper"])
    assert plan(recipe.at(PARAMS), "bank")[-1].settings["held_out"] == "test"
    assert plan(load_recipe("digits", PRECISE).at(PARAMS), "bank")[-1].settings["held_out"] == "validation"


def test_evaluations_of_different_models_differ():
    dense, _, finetune, measured = plan(load_recipe("digits", PRECISE).at(PARAMS), "bank")
    found = {evaluation(dense, "test").key, evaluation(finetune, "test").key, measured.key}
    assert len(found) == 3
    assert evaluation(finetune, "validation") == measured


def test_a_setting_that_came_later_leaves_the_keys_of_earlier_searches(monkeypatch):
    """A field that is younger than its stage's version enters a key only if it changes something."""

    def assign(*overrides):
        return plan(load_recipe("digits", [*PRECISE, *overrides]).at(PARAMS), "bank")[1]

    named = assign()
    assert named.settings["assign"]["forced_pairs"] == 0
    monkeypatch.setitem(ADDED_SINCE, "forced_pairs", 0)
    unnamed, forced = assign(), assign("assign.forced_pairs=3")
    assert "forced_pairs" not in unnamed.settings["assign"]
    assert forced.settings["assign"]["forced_pairs"] == 3
    assert len({named.key, unnamed.key, forced.key}) == 3


def test_an_order_in_blocks_changes_the_keys_and_the_full_one_is_not_named():
    assert "shuffle" not in plan(load_recipe("digits", PRECISE).at(PARAMS), "bank")[0].settings["dense"]
    assert keys()["dense"] == keys(overrides=["dense.shuffle=full"])["dense"]
    assert keys()["dense"] != keys(overrides=["dense.shuffle=blocks"])["dense"]
