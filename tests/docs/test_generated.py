"""What docs/generate.py writes is what stands in the pages."""

import sys

import pytest

from tests.docs.pages import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import generate


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="help texts are laid out as Python 3.11 does")
@pytest.mark.parametrize("page", sorted(generate.contents()), ids=lambda page: page.stem)
def test_a_page_is_current(page, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    assert page.read_text(encoding="utf-8") == generate.filled(page, generate.contents()[page]()), "run `make pages`"


@pytest.mark.parametrize("picture", sorted(generate.pictures()), ids=lambda picture: picture.stem)
def test_a_picture_is_current(picture):
    assert picture.read_text(encoding="utf-8") == generate.pictures()[picture](), "run `make pages`"


def test_every_metric_of_this_project_says_its_formula_and_where_that_is_from():
    from tuner.qpm import METRICS

    own = [metric for name, metric in METRICS.items() if name not in METRICS.added()]
    assert [metric.name for metric in own if not (metric.formula and metric.source)] == []
