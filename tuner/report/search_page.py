"""The report of a search: one self-contained HTML page that fetches nothing.

`views.py` defines the input; `sections.py` builds the contents.
"""

from markupsafe import Markup

from tuner.report import sections
from tuner.report.analysis_views import Curve, Importance, Origin, Setting, Share, Span
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
    "Curve",
    "FeatureView",
    "Importance",
    "Origin",
    "PickView",
    "Report",
    "Setting",
    "Share",
    "Span",
    "StageUse",
    "TrialRow",
    "render_report",
]

SCRIPTS = (
    "kit.js",
    "charts.js",
    "analysis.js",
    "curves.js",
    "course.js",
    "table.js",
    "page.js",
)  # in the order of their use


def render_report(report: Report) -> str:
    """The page; every text of the input is escaped.

    Returns:
        HTML. Its content security policy forbids it to load anything.
    """
    js = Markup("\n").join(asset(name) for name in SCRIPTS)
    return render("report.html", js=js, **sections.build(report))
