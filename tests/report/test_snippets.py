"""What a notebook shows is escaped, short and self-contained, whoever wrote the names in it."""

import re

import pytest

from tuner.report.snippets import MOST_FACTS, model_snippet, snippet

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


def test_every_text_is_escaped_and_long_ones_are_cut():
    page = snippet(HOSTILE, [HOSTILE], [(HOSTILE, HOSTILE), ("long", "x" * 10_000)])
    assert "<img" not in page
    assert page.count("&lt;img") == 4
    assert len(page) < 3_000


@pytest.mark.parametrize("odd", [None, [], "text", {HOSTILE: HOSTILE}, {f"n{i}": i for i in range(1000)}])
def test_the_card_of_a_model_may_hold_anything(odd):
    card = {"class_names": [HOSTILE, "b"], "data": HOSTILE, "params": odd, "values": odd, "reason": odd}
    page = model_snippet(card, 12)
    assert not re.search(r"<(img|script)", page)
    assert "\u202e" not in page.split("<table>")[0]
    assert page.count("<tr>") <= 2 + 2 * MOST_FACTS


def test_numbers_of_a_model_are_shown_without_empty_decimals():
    card = {
        "class_names": ["a", "b"],
        "data": "d",
        "params": {"lr": 1e-5},
        "values": {"accuracy": 95.123456789, "n": 3.0},
    }
    page = model_snippet(card, 3)
    assert ">95.1235<" in page
    assert ">3<" in page
    assert ">1e-05<" in page
