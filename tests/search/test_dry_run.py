"""The plan of a run: what is left, from whatever times are known, and nothing is written."""

import json
import re

import pytest

from tests.ledgers import finished, home_with
from tuner.errors import UsageError
from tuner.recipe import load_recipe
from tuner.search.cost.earlier import earlier_times, known_stages
from tuner.search.cost.prepare import held_by
from tuner.search.cost.sizes import Machine, Sizes, sizes_of_bank
from tuner.search.driver.dry_run import dry_run, text
from tuner.search.record.home import SearchHome
from tuner.store import Artifacts, open_store

BANK = {"n_images": 1797, "n_classes": 10, "dim": 64, "grid": [4, 4]}


def publish(home, folder, kind, key, **meta):
    folder.mkdir(exist_ok=True)
    (folder / "file").write_text(key)
    home.artifacts.publish(kind, key, folder, meta)


@pytest.fixture
def home(tmp_path):
    made = home_with(tmp_path / "store", finished(), "tracking.enabled=false")
    publish(made, tmp_path / "bank", "banks", "bank", **BANK)
    return made


def listing(home):
    return sorted((key, home.store.stat(key)) for key in home.store.list(""))


def test_a_search_under_way_is_planned_from_its_own_times_and_nothing_is_written(home):
    before = listing(home)
    plan = dry_run(home, None, 20)
    assert (plan.expected.trials, plan.expected.source) == (20, "search")
    assert plan.expected.stages["finetune"][0] == 17 + plan.expected.runs
    printed = text(plan)
    assert "trials" in printed
    assert "; 3 have ended" in printed
    assert "from the stages of this search so far" in printed
    assert "switched off (tracking.enabled)" in printed
    assert max(map(len, printed.splitlines())) <= 80 + len(home.store.url), "80 columns, addresses apart"
    assert listing(home) == before


def test_a_plan_with_the_recipe_of_the_search_knows_the_lag_that_it_settled(home):
    asked, _ = home.stored()
    asked.sampler.lag = -1
    assert dry_run(home, asked).recipe.sampler.lag == home.stored()[0].sampler.lag > 0


def test_a_plan_follows_what_was_instructed(home):
    asked = {"event": "search", "time_s": 140.0, "recipe": {"budget": {"trials": 20}}, "versions": {}}
    said = {"number": 1, "verb": "budget", "arguments": {"trials": 30}, "by": "ada", "given_s": 1.0, "applied": True}
    paused = {
        **said,
        "event": "instruction",
        "time_s": 142.0,
        "number": 2,
        "verb": "pause",
        "note": "",
        "arguments": {},
    }
    for event in (asked, {**said, "event": "instruction", "time_s": 141.0, "note": "", "trials": 30}, paused):
        home.ledger.append(event)
    plan = dry_run(home, None, 20)
    assert plan.expected.trials == 30
    assert "paused by ada" in text(plan)
    assert dry_run(home, None, 25).expected.trials == 25, "a number that no run was asked for"


def test_what_a_run_would_refuse_the_plan_refuses(home):
    other = home.stored()[0]
    other.dense.epochs += 1
    with pytest.raises(UsageError, match="has changed"):
        dry_run(home, other)
    with pytest.raises(UsageError, match="no search 'other'"):
        dry_run(SearchHome(home.store, "other"), None)


def made_by(stage, seconds, bank="bank", device="cpu", **settings):
    meta = {"stage": stage, "settings": settings, "inputs": {"bank": bank}, "seconds": seconds}
    return meta | {"made_with": {"device": device}}


def test_times_of_other_searches_on_the_same_data_and_device_count(home, tmp_path):
    recipe, machine = home.stored()[0], Machine(2.0)
    sizes, held = sizes_of_bank(home.artifacts, "bank", recipe), held_by(recipe, machine)
    publish(home, tmp_path / "a", "stages/dense", "a", **made_by("dense", 12.0, dense={"epochs": 20}))
    publish(home, tmp_path / "b", "stages/dense", "b", **made_by("dense", 1e4, bank="another"))
    publish(home, tmp_path / "c", "stages/dense", "c", **made_by("dense", 1e4, device="cuda"))
    times = earlier_times(home.artifacts, "bank", recipe, sizes, held)
    assert (times.counts, times.source) == ({"dense": 1}, "store")
    guess_of_ten = 1.0
    assert times.seconds("dense", guess_of_ten) > 0
    assert known_stages(home.artifacts, {"dense": ["a", "x"]}) == {"a"}
    assert known_stages(home.artifacts, {"dense": ["a", "x"]}, most=1) == frozenset(), "too many to ask for"


@pytest.mark.parametrize(
    "meta",
    [
        {"stage": "dense", "seconds": "NaN", "inputs": {"bank": "bank"}, "made_with": {"device": "cpu"}},
        {"stage": "dense", "seconds": -1.0, "inputs": {"bank": "bank"}, "made_with": {"device": "cpu"}},
        {"stage": ["dense"], "seconds": 1.0, "inputs": [], "made_with": None},
        {"stage": "dense", "seconds": 1.0, "inputs": {"bank": "bank"}, "made_with": {"device": "cpu"}, "settings": 3},
        made_by("dense", 1.0, dense={"epochs": "many", "batch_size": -4}),
    ],
)
def test_a_manifest_may_hold_anything(home, tmp_path, meta):
    recipe = home.stored()[0]
    sizes = Sizes(1000, 1797, 16, 64, 10)
    publish(home, tmp_path / "odd", "stages/dense", "odd", **meta)
    times = earlier_times(home.artifacts, "bank", recipe, sizes, held_by(recipe, Machine(2.0)))
    assert times.counts in ({}, {"dense": 1})
    assert all(ratio > 0 for ratio in times.ratios.values())


def test_a_store_without_anything_is_planned_by_size(tmp_path):
    recipe = home_with(tmp_path / "store", []).stored()[0]
    artifacts = Artifacts(open_store(str(tmp_path / "empty")))
    sizes = Sizes(1000, 1797, 16, 64, 10)
    assert earlier_times(artifacts, "bank", recipe, sizes, held_by(recipe, Machine(2.0))).source == "guess"
    assert sizes_of_bank(artifacts, "bank", recipe) is None
    json.dumps(recipe.to_dict())  # the recipe is untouched


def test_a_plan_of_a_new_search_says_how_long_extraction_takes_first(tmp_path):
    plan = dry_run(SearchHome(open_store(str(tmp_path)), "new"), load_recipe("digits"))
    (line,) = [told for heading, told in plan.lines() if heading == "extraction"]
    assert re.fullmatch(r"about \d+ s before that, right within a factor of about 4", line)
    assert max(map(len, text(plan).splitlines())) <= 80 + len(str(tmp_path)) + 40


def test_a_plan_tells_of_constraints_and_of_the_space_that_they_leave(tmp_path):
    bounds = ["space.n_features={low: 5, high: 30, step: 5}", "constraints=[accuracy >= 20, n_features <= 17]"]
    bounded = home_with(tmp_path / "store", [], *bounds, "tracking.enabled=false")
    publish(bounded, tmp_path / "bank", "banks", "bank", **BANK)
    told = text(dry_run(bounded, None, 3))
    assert re.search(r"n_features +5 to 15 by 5\n", told), told
    assert "accuracy >= 20, n_features <= 17" in told
