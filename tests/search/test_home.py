"""What a search was started with: read back whatever version wrote it, refused by its name where it is damaged."""

import io

import pytest
import yaml
from rich.console import Console

from tests.ledgers import finished, home_with
from tuner.base.progress import Silent
from tuner.errors import TunerError, UsageError
from tuner.recipe import load_recipe
from tuner.search.outcome.pick import pick_model
from tuner.search.outcome.report import report_page
from tuner.search.watch.summary import status, status_text


def rewritten(tmp_path, change):
    """A finished search whose recipe.yaml was changed."""
    home = home_with(tmp_path, finished())
    content = yaml.safe_load(home.store.get(home.key("recipe.yaml")))
    change(content)
    home.store.put(home.key("recipe.yaml"), yaml.safe_dump(content, sort_keys=False).encode())
    return home


def as_before(content):
    """As the version before code numbers were kept wrote it, with a step that was then lowered in silence."""
    del content["code"], content["recipe"]["assign"]["effort"]
    content["recipe"]["assign"]["warm_start"] = True
    content["recipe"]["space"]["n_features"] = {"low": 5, "high": 30, "step": 4}


def test_a_search_of_an_earlier_version_is_read_by_every_command_that_looks(tmp_path):
    home = rewritten(tmp_path, as_before)
    console = Console(file=io.StringIO(), width=80)
    console.print(status_text(home), soft_wrap=True)
    assert "trials ended: 3 complete" in console.file.getvalue()
    assert status(home)["members"] == [0, 1, 2]
    assert pick_model(home).point.trial == 1
    assert "made-up" in report_page(home, Silent())


def test_another_recipe_for_it_is_answered_with_its_version(tmp_path):
    home = rewritten(tmp_path, as_before)
    with pytest.raises(UsageError, match=r"other results when it started \(code dense 1, now"):
        home.refuse_changes(home.stored()[0], load_recipe("digits"))


def test_stages_of_a_comparison_that_are_newer_than_a_search_do_not_make_it_an_old_one(tmp_path):
    home = rewritten(tmp_path, lambda content: [content["code"].pop(stage) for stage in ("probe", "sldd", "resnet")])
    assert home.is_of_this_code()
    home.require_this_code()
    for number, change in enumerate(({"finetune": 2}, {"sldd": 0}, {"gone": 1})):
        old = rewritten(tmp_path / str(number), lambda content, change=change: content["code"].update(change))
        assert not old.is_of_this_code()
        ((stage, version),) = change.items()
        with pytest.raises(UsageError, match=rf"\(code {stage} {version}, now \w+\)"):
            old.require_this_code()


def test_the_space_keeps_the_order_in_which_it_was_started(tmp_path):
    """Proposals depend on it: a search carried on from its stored recipe must not draw others."""
    home = home_with(tmp_path, finished(), "space={width: {choices: [256]}, n_features: {low: 10, high: 50}}")
    assert list(home.stored()[0].space) == ["width", "n_features"]


@pytest.mark.parametrize(
    "part",
    [{"recipe": None}, {"recipe": []}, {"recipe": "x", "code": None}, {"bank": None}, {"versions": 3}, {"code": "x"}],
)
def test_a_recipe_with_something_else_in_it_is_named_as_damaged(tmp_path, part):
    home = rewritten(tmp_path, lambda content: content.update(part))
    with pytest.raises(TunerError, match=r"searches/made-up/recipe.yaml is damaged"):
        home.stored()


def test_the_budget_is_that_of_the_last_turn(tmp_path):
    home = home_with(tmp_path, finished())
    assert status(home)["budget"] == load_recipe("digits").budget.trials
    home.ledger.append({"event": "search", "time_s": 200.0, "recipe": {"budget": {"trials": 99}}, "versions": {}})
    assert status(home)["budget"] == 99


def test_versions_of_a_stored_recipe_are_shown_as_texts_without_passwords(tmp_path):
    home = home_with(tmp_path, [])
    text = home.store.get(home.key("recipe.yaml")).decode()
    odd = text.replace("versions:\n", "versions:\n  made: http://someone:hunter-2@host\n  of: [1]\n", 1)
    home.store.put(home.key("recipe.yaml"), odd.encode())
    assert "hunter-2" not in str(home.versions())
    assert all(isinstance(version, str) for version in home.versions().values())
