"""The page of features, names beside dots, and colours that can be told from the paper."""

import re
from pathlib import Path

import numpy as np
import pytest

import tuner.report
from tuner.base.origin import commit, machine
from tuner.report import labels, shade
from tuner.report.feature_page import FeatureCard, TopImage, render_features
from tuner.report.labels import Box
from tuner.report.picture import STYLE, render_front

from .sample import OBJECTIVES, sample_report
from .test_report import CANARY, Page

FOLDER = Path(tuner.report.__file__).parent
MARKS = ("dim", "front", "pick", "base", "good", "stopped", "pruned", "bad", *(f"stage{i}" for i in range(6)))


def card(index: int, *classes: str) -> FeatureCard:
    image = np.full((40, 40, 3), 90, dtype=np.uint8)
    top = TopImage(image, np.eye(4, dtype=np.float32), "albatross", "albatross" in classes, "train/1.png")
    return FeatureCard(index, classes, [top] * 4, 1.0, ("part 3", 0.75), [("attribute 12", 0.4)])


def test_a_feature_says_its_classes_part_and_attributes() -> None:
    page = Page(render_features("birds", 7, [card(0, "albatross", "auklet"), card(1, "auklet")], 2000, "report.html"))
    text = page.text()
    assert "Features of trial 7" in text
    assert "2 classes use it albatross and auklet" in text
    assert "1 class uses it auklet" in text
    assert "part 3, nearest to its peak in 3 of these 4 images" in text
    assert "attribute 12 (+40 %)" in text
    assert text.count("does not use it strength 100 % train/1.png") == 4  # the images of feature 1
    assert "The features of each of 2 classes albatross 0 auklet 0 , 1" in text
    targets = {a["href"] for t, a in page.tags if t == "a"}
    assert targets == {"report.html", "#feature-0", "#feature-1"}
    assert {f"#{a['id']}" for t, a in page.tags if t == "h2"} == {"#feature-0", "#feature-1"}
    assert not page.scripts


def test_every_text_of_the_page_is_escaped() -> None:
    image = np.zeros((9, 9, 3), dtype=np.uint8)
    top = TopImage(image, np.ones((2, 2), dtype=np.float32), CANARY, True, CANARY)
    text = render_features(CANARY, 0, [FeatureCard(0, [CANARY], [top], 1.0, (CANARY, 1.0), [(CANARY, 1.0)])], 1)
    assert "<script>" not in text
    assert Page(text).text().count("<script>alert(1)</script>") >= 6


def test_many_classes_are_counted() -> None:
    page = Page(render_features("birds", 0, [card(0, *(f"class {i}" for i in range(35)))], 10))
    assert "35 classes use it" in page.text()
    assert "class 28, class 29 and 5 more" in page.text()


def test_names_cover_neither_dots_nor_each_other() -> None:
    spots = [(100.0, 100.0), (106.0, 100.0), (300.0, 12.0), (100.0, 104.0)]
    within = Box(0, 0, 400, 200)
    places = labels.place(spots, ["7", "18", "203", "4"], within)
    boxes = [Box(x, y - 10, x + 7.2 * n, y) for (x, y), n in zip(filter(None, places), (1, 2, 3, 1), strict=False)]
    assert sum(place is not None for place in places) >= 3
    assert not any(a.meets(b) for a in boxes for b in boxes if a is not b)
    assert not any(box.meets(Box(x - 4, y - 4, x + 4, y + 4)) for box in boxes for x, y in spots)
    assert all(box.top >= 0 for box in boxes)
    nowhere = labels.place([(5.0, 5.0)] * 30, ["12345"] * 30, Box(0, 0, 50, 20))
    assert nowhere.count(None) >= 28


def test_members_are_named_in_the_still_picture() -> None:
    report = sample_report()
    points = [row.point() for row in report.rows if row.outcome == "complete"]
    named = re.findall(r'class="number"[^>]*>(\d+)<', render_front(points, OBJECTIVES[:2]))
    assert len(named) == len(set(named)) >= 5
    picked = next(p for p in points if p.trial == int(named[0]))
    left = re.findall(r'class="number"[^>]*>(\d+)<', render_front(points, OBJECTIVES[:2], picked))
    assert named[0] not in left


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_can_be_told_from_the_paper(theme: str) -> None:
    """At least 3:1 (WCAG 2.2, 1.4.11), in the report and in the still picture."""
    at = 0 if theme == "light" else 1

    def colours(style: str) -> dict[str, str]:
        parts = style.split("prefers-color-scheme: dark")
        return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", parts[at]))

    page, still, shades = (colours(s) for s in ((FOLDER / "report.css").read_text(), STYLE, shade.STYLE))
    for name in MARKS:
        assert contrast(page[name], page["paper"]) >= 3, name
    for name in ("dim", "member", "pick"):
        assert contrast(still[name], still["paper"]) >= 3, name
    for i in range(shade.STEPS):
        assert contrast(shades[f"shade{i}"], still["paper"]) >= 3, f"shade{i}"


def test_the_code_and_the_machine_have_names() -> None:
    assert re.fullmatch(r"([0-9a-f]{7,12}(\+changes)?)?", commit())
    assert re.search(r"\d+ CPU cores?", machine())
