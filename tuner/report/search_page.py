"""The report of a search: one self-contained HTML page that fetches nothing.

`views.py` defines the input; `sections.py` builds the contents.
"""

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from tuner.report import sections
from tuner.report.templates import asset, render
from tuner.report.views import (
    BaselineRow,
    ClassAccuracy,
    ClassView,
    ComparisonView,
    FeatureView,
    PickView,
    Report,
    StageUse,
    TrialRow,
)

__all__ = [
    "BaselineRow",
    "ClassAccuracy",
    "ClassView",
    "ComparisonView",
    "FeatureView",
    "PickView",
    "Report",
    "StageUse",
    "TrialRow",
    "render_report",
]


def render_report(report: Report) -> str:
    """The page, with plotly.js (4.8 MB) inside; every text of the input is escaped.

    Returns:
        HTML. Its content security policy forbids it to load anything.
    """
    return render("report.html", js=asset("report.js"), plotly=Markup(get_plotlyjs()), **sections.build(report))
