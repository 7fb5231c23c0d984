"""A search that chooses on the test images says so in every place that shows its figures, and no other search does."""

import io

import pytest
from rich.console import Console

from tests.ledgers import finished, home_with
from tuner.base.progress import Silent
from tuner.recipe import CHOSEN_ON_TEST, chosen_on_test
from tuner.search.outcome.candidates import side_by_side
from tuner.search.outcome.diff_searches import diff_searches
from tuner.search.outcome.diff_trials import diff_trials
from tuner.search.outcome.pick import pick_model
from tuner.search.outcome.report import report_page
from tuner.search.record.home import SearchHome
from tuner.search.search import Search
from tuner.search.watch.following import follow
from tuner.search.watch.front_table import front_table
from tuner.search.watch.summary import status, status_text
from tuner.tracking.description import of_search
from tuner.tracking.updates import translate

SAID = "protocol=paper measures all 3 trials on the test images"


def told(home: SearchHome) -> dict[str, str]:
    """What each place says."""
    texts = {}
    for name, shown in (("front", front_table(home.front(), home.state())), ("status", status_text(home))):
        console = Console(file=io.StringIO(), width=400)
        console.print(shown, soft_wrap=True)
        texts[name] = console.file.getvalue()
    texts |= {"front as JSON": str(home.front().to_dict()), "status as JSON": str(status(home))}
    texts["DataFrame"] = Search(home).front().attrs["caution"]
    texts["candidates as JSON"] = str(side_by_side(home).to_dict())
    texts["watch"] = " ".join(news.text for look in follow(home) for news in look.news)
    texts["trials"] = str(diff_trials((home, home), (0, 1)))
    texts["searches"] = str(diff_searches(home, home))
    return texts | {"pick": pick_model(home).reason, "report": report_page(home, Silent())}


def test_every_place_says_it(tmp_path):
    found = told(home_with(tmp_path, finished(), "protocol=paper", "budget.trials=3"))
    assert {name: SAID in text for name, text in found.items()} == dict.fromkeys(found, True)


def test_other_searches_do_not(tmp_path):
    found = told(home_with(tmp_path, finished()))
    assert {name: "on the test images" in text for name, text in found.items()} == dict.fromkeys(found, False)


@pytest.mark.parametrize(
    ("protocol", "trials", "warns"), [("paper", 1, False), ("paper", 2, True), ("validation", 9, False)]
)
def test_mlflow_gets_a_tag_and_a_description(protocol, trials, warns):
    recipe = {"protocol": protocol, "budget": {"trials": trials}}
    tags = translate({"event": "search", "time_s": 1.0, "recipe": recipe, "versions": {}}).tags
    note = of_search(tags, {}, [], "1", "run", [])
    assert (CHOSEN_ON_TEST in tags, "on the test images" in note) == (warns, warns)
    assert tags.get(CHOSEN_ON_TEST, "") == chosen_on_test(protocol, trials)
