"""What an explanation says: signs, sums, margins and trust in words, the same on page, terminal and in JSON."""

import re

import numpy as np
import pytest

from tuner.base.text import readable
from tuner.features.likeness import Distance
from tuner.report import verdicts
from tuner.report.explanation import Decision, render_explanations
from tuner.report.verdicts import Verdict
from tuner.report.views import ClassView, ComparisonView, FeatureView, ImageView

IMAGE = np.full((8, 8, 3), 90, dtype=np.uint8)
USUAL, FAR = Distance(1.04, 1.6, 99.97, 51.0, 1347), Distance(7.5, 1.6, 100.0, 100.0, 1347)
FEW = Distance(1.04, 1.6, 100.0, 51.0, 20)


def view(name: str, *features: tuple[int, float], source: ImageView | None = None) -> ClassView:
    shown = np.eye(4, dtype=np.float32)
    return ClassView(name, IMAGE, [FeatureView(f, shown, c, full=2.0) for f, c in features], source)


def decision(left: ClassView, right: ClassView, distance: Distance | None = USUAL) -> Decision:
    return Decision("a.png", ComparisonView(left, right), Verdict(0.9, 0.05, distance))


def test_a_negative_contribution_speaks_against_its_class() -> None:
    said = verdicts.account(view("three", (4, 2.1), (9, 0.5), (2, -0.31), (7, 0.0)))
    assert said == (
        "Features 4 (+2.10) and 9 (+0.50) speak for three, feature 2 (−0.31) speaks against three, "
        "feature 7 (0) adds nothing to three; together they make the score, +2.29."
    )
    assert verdicts.account(view("x", (1, -1.0))) == (
        "Feature 1 (−1.00) speaks against x; together they make the score, −1.00."
    )
    assert "+0.002" in verdicts.account(view("x", (1, 0.002)))


def test_features_of_one_class_alone_make_the_margin() -> None:
    made = decision(view("three", (0, 5.0), (4, 2.0), (2, -0.5)), view("eight", (0, 5.0), (6, 1.25)))
    said = made.sentence()
    assert "a.png: three, score +6.50, probability 90.0 % (softmax over all classes, not calibrated)." in said
    assert "Next is eight, score +6.25, probability 5.0 %: a margin of 0.25." in said
    assert "Features 4 and 2, only in three, add +1.50 to it and feature 6, only in eight, adds +1.25 to it." in said
    assert "Feature 0 is in both and never tells them apart." in said
    document = made.to_dict()
    assert (document["for"], document["against"]) == ([0, 4], [2])
    assert document["margin"]["value"] == pytest.approx(0.25)
    assert document["margin"]["shared"] == [0]
    assert [f["feature"] for f in document["margin"]["only_class"]] == [4, 2]
    assert document["features"][0]["strength"] == pytest.approx(0.5)


def test_ties_subsets_and_classes_that_share_nothing_have_words_of_their_own() -> None:
    tie = decision(view("a", (1, 1.0)), view("b", (2, 1.0))).sentence()
    assert "a tie, and a is first in the class list." in tie
    assert "They share no feature." in tie
    subset = decision(view("a", (1, 1.0), (2, 0.5)), view("b", (1, 1.0))).sentence()
    assert "a margin of 0.50. Feature 2, only in a, adds +0.50 to it." in subset
    low = decision(view("a", (1, -1.0)), view("b", (2, -2.0))).sentence()
    assert "A score below 0 is less than usual, but no other class has more." in low


@pytest.mark.parametrize(
    ("distance", "said", "unlike"),
    [
        (USUAL, "Like the training images: its distance from them is 1.04, where about 1 is usual and 99.9 %", False),
        (FAR, "Unlike the training images: its distance from them is 7.50, where about 1 is usual and all 1,347", True),
        (FEW, "Like the training images, as far as so few can tell: its distance from them is 1.04", False),
        (None, verdicts.NO_DISTANCE, None),
    ],
)
def test_an_image_unlike_the_training_images_is_told_everywhere(distance, said, unlike) -> None:
    made = decision(view("a", (1, 1.0)), view("b", (2, 0.5)), distance)
    assert said in made.sentence()
    assert made.to_dict()["unlike"] is unlike
    page = render_explanations([made])
    assert said in page.replace("&#39;", "'")
    assert ('class="reason"' in page) == bool(unlike)
    assert ("do not rely on the class" in page) == bool(unlike)


def test_two_classes_say_whose_images_they_are_shown_on() -> None:
    wrong = ImageView("test/8.png", "test", "eight", "nine")
    left = view("three", (0, 1.0), (4, -2.0), source=ImageView("test/3.png", "test", "three", "three", 12))
    made = Decision("three against eight", ComparisonView(left, view("eight", (0, 1.0), (6, 2.0), source=wrong)))
    said = made.sentence()
    assert "Both rest on feature 0. Feature 4 speaks against three, feature 6 speaks for eight." in said
    assert (
        "three is shown on test/3.png of the test split, whose true class is three; the model predicts it too." in said
    )
    assert said.count("It is the clearest of 12 images of the class.") == 1
    assert "eight is shown on test/8.png of the test split, whose true class is eight; the model predicts nine" in said
    page = render_explanations([made])
    assert "test/8.png" in page
    assert "the untouched image" in page
    first, second = made.to_dict()["classes"]
    assert (first["image"], first["against"]) == ("test/3.png", [4])
    assert (second["true_class"], second["predicted_class"]) == ("eight", "nine")


def test_every_picture_of_a_feature_that_speaks_against_says_so() -> None:
    page = render_explanations([decision(view("a", (1, 1.0), (3, -1.0)), view("b", (2, -0.5)))])
    tiles = re.findall(r'<figure class="tile (\w+)".*?</figure>', page, re.DOTALL)
    assert sorted(tiles) == ["against", "against", "for"]
    assert page.count("speaks against it") == 2
    assert "strength up to 50\u00a0%" in page  # 1 of 2


def test_names_that_cannot_be_written_are_replaced() -> None:
    assert readable("caf\udce9\n\x1b[31m\u202e.png") == "caf\ufffd\ufffd\ufffd[31m\ufffd.png"
    made = decision(view("caf\udce9", (1, 1.0)), view("<i>", (2, 0.5)))
    page = render_explanations([made])
    page.encode("utf-8")
    assert "caf\ufffd" in page
    assert "<i>" not in page
