"""The report's bars of parameter importance: one group for each objective, with what they rest on in words."""

from typing import Any

from tuner.front import words
from tuner.report.analysis_views import Importance, Share
from tuner.report.views import Report


def importance(report: Report) -> list[dict[str, Any]]:
    """For each objective a sentence and its bars: share and deviation in percent, the largest first."""
    return [
        {"objective": words.name(found.objective), "rests": _rests(found), "bars": _bars(found)}
        for found in report.importance
    ]


def _rests(found: Importance) -> str:
    drawn = f", drawn from {found.known}" if found.known > found.trials else ""
    return f"rests on {found.trials} complete trials{drawn}"


def _bars(found: Importance) -> list[dict[str, Any]]:
    return [
        {
            "name": words.name(name),
            "text": f"{100 * share.share:.0f} ± {100 * share.deviation:.0f} %",
            "width": round(100 * share.share, 1),
            **_whisker(share),
        }
        for name, share in found.shares.items()
    ]


def _whisker(share: Share) -> dict[str, float]:
    """One deviation to each side, within the bar's 0 to 100 %."""
    low, high = max(0.0, share.share - share.deviation), min(1.0, share.share + share.deviation)
    return {"low": round(100 * low, 1), "high": round(100 * (high - low), 1)}
