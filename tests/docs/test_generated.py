"""What docs/generate.py writes is what stands in the pages."""

import sys

import pytest

from tests.docs.pages import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import generate
import layers


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="help texts are laid out as Python 3.11 does")
@pytest.mark.parametrize("page", sorted(generate.contents()), ids=lambda page: page.stem)
def test_a_page_is_current(page, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    assert page.read_text(encoding="utf-8") == generate.filled(page, generate.contents()[page]()), "run `make pages`"


def test_the_picture_is_current():
    assert layers.PICTURE.read_text(encoding="utf-8") == layers.draw(), "run `make pages`"


def test_every_metric_has_a_formula_on_the_page_of_the_method():
    text = (ROOT / "docs" / "explanation" / "method.md").read_text(encoding="utf-8")
    anchors = {line.rpartition("(")[2].split("#")[1].split(")")[0] for line in generate.metrics().splitlines()[2:]}
    assert not [anchor for anchor in anchors if f"{{#{anchor}}}" not in text]
