"""Tables fit their width: columns go, the least important first; numbers are whole or not there."""

import io
import re

import pytest
from rich.console import Console

from tests.ledgers import finished
from tuner.base.tables import Column, FittedTable, fit_columns
from tuner.recipe import load_recipe, objectives_of
from tuner.search.record.front_view import FrontView
from tuner.search.record.restoration import replay
from tuner.search.systems.rows import Comparison, Row, Run
from tuner.search.systems.text import comparison_text
from tuner.search.watch.front_table import front_table
from tuner.search.watch.summary import programs_table

WIDTHS = (40, 60, 80, 100, 120, 200)
LONG = ("accuracy", "attribute_alignment", "features_per_class_used")


def printed(width, shown):
    console = Console(file=io.StringIO(), width=width)
    console.print(shown, soft_wrap=True)
    return console.file.getvalue()


def columns(*weights):
    return [Column(f"c{i}", ["1234567"], weight) for i, weight in enumerate(weights)]


def test_the_least_important_column_goes_first_and_of_equals_the_last():
    given = columns(9, 1, 5, 5, 1)
    assert [c.heading for c in fit_columns(given, 43)[0]] == ["c0", "c1", "c2", "c3", "c4"]
    kept, gone = fit_columns(given, 42)
    assert [c.heading for c in kept] == ["c0", "c1", "c2", "c3"]
    assert [c.heading for c in gone] == ["c4"]
    assert [c.heading for c in fit_columns(given, 25)[0]] == ["c0", "c2", "c3"]
    assert [c.heading for c in fit_columns(given, 1)[0]] == ["c0"]


def test_words_wrap_before_a_column_goes():
    cause = Column("cause", ["out of memory while the third of many models was trained"], 1, words=True)
    text = printed(40, FittedTable([Column("accuracy", ["96.12345"], 2), cause]))
    assert "not shown" not in text
    assert " ".join(re.sub(r"96.12345|accuracy|cause", "", text).split()) == cause.cells[0]
    assert max(map(len, text.splitlines())) <= 40


def test_what_cannot_fit_at_all_is_not_cut():
    text = printed(5, FittedTable([Column("accuracy", ["96.12345678"]), *columns(0)]))
    assert "96.12345678" in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("names", [LONG[:1], ("accuracy", "interpretability"), LONG])
def test_a_front_fits_and_every_number_is_whole(width, names):
    state = replay(finished(names))
    objectives = objectives_of(load_recipe("digits"), names)
    view = FrontView.of("made-up", state, objectives)
    text = printed(width, front_table(view, state))
    wide = printed(1000, front_table(view, state))
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    table, known = text.split("not shown")[0].split(" on the front")[0], wide.split()
    assert {word for word in table.split() if re.search(r"\d", word)} <= set(known)
    assert "±1.1" in table or "±1.3" in table
    assert ("not shown" in text) == (len(table.split()) < len(wide.split(" on the front")[0].split()))
    for name in re.findall(r"not shown in \d+ columns: ([^.]*?)\n\d", text.replace(" \n", " ")):
        assert "accuracy" not in name.split(", ")[0]


def test_at_eighty_columns_the_default_front_shows_what_counts():
    state = replay(finished())
    view = FrontView.of("made-up", state, objectives_of(load_recipe("digits")))
    text = printed(80, front_table(view, state))
    head = text.splitlines()[1]
    for shown in ("trial", "features", "accuracy", "interpret.", "%"):
        assert shown in head
    assert "96.1 ±1.1" in text
    assert "96.1 ±1.0" in text  # on test
    assert "accuracy: n = 288 images" in " ".join(text.split())
    assert "on test, accuracy: n = 360 images" in " ".join(text.split())
    assert "the program of trial 2 was stopped by the clock, gap 1.3 %" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_programs_fit(width):
    state = replay(finished())
    text = printed(width, programs_table(state))
    assert max(map(len, text.splitlines())) <= width
    assert "stopped by the clock" in " ".join(text.split())
    assert "1.3" in text
    assert "…" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_a_comparison_fits(width):
    values = {"accuracy": 96.12345, "interpretability": 61.98765, "plausibility": 50.5, "correlation": 12.3}
    rows = (
        Row(
            "trial-7",
            "trial 7 12/3",
            "member",
            parameters="width 48, l1 0.001",
            runs=(Run(0, "a", values | {"n_images": 360}),),
        ),
        Row("random-7", "random 12/3", "control", runs=(Run(0, "b", {"accuracy": 9.87654}),)),
    )
    text = printed(width, comparison_text(Comparison(rows, (0,), "width 48")))
    assert max(map(len, text.splitlines())) <= width
    assert "96.1 ±1.0*" in text
    assert "9.9" in text
    assert "…" not in text


def test_a_front_without_members_says_why():
    objectives = objectives_of(load_recipe("digits"), ["accuracy", "sid5"])
    for events, said in (
        (finished(), "none of the 3 complete trials has a value of sid5"),
        ([], "no complete trial yet"),
    ):
        state = replay(events)
        view = FrontView.of("made-up", state, objectives)
        assert said in printed(80, front_table(view, state))
