"""What a search says last: the commands that come next are those that do something."""

import pytest
from rich.console import Console

from jobs.search import print_end
from tests.ledgers import finished, home_with
from tuner.search.watch.result import SearchResult


@pytest.mark.parametrize(
    ("ended", "offered"),
    [
        ({}, True),
        ({"ended_by_limit": "budget.money of 1 EUR is spent; run with a larger budget.money to go on"}, False),
        ({"interrupted": True}, False),
        ({"stopped_by": "ada@lab7"}, False),
    ],
)
def test_more_trials_are_offered_only_where_all_have_been_run(tmp_path, capsys, ended, offered):
    """After 2 of 40 trials it offered `--trials 4`, which would have ended the search there, or started nothing."""
    home = home_with(tmp_path, finished())
    print_end(SearchResult(home, home.stored()[0], home.state(), **ended), Console(width=160))
    assert ("more trials   qpm-tuner search" in capsys.readouterr().out) is offered
