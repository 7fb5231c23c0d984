"""Explanations of decisions, as text, JSON and one self-contained HTML page.

A decision is one image with its predicted class and the runner-up, or two classes on an image each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuner.report import verdicts
from tuner.report.documents import comparison_document, prediction_document
from tuner.report.galleries import Painter, side_by_side
from tuner.report.snippets import comparison_images, snippet
from tuner.report.templates import render
from tuner.report.verdicts import Verdict
from tuner.report.views import ComparisonView


@dataclass(frozen=True, repr=False)
class Decision:
    """One image and why it was classified as it was, or two classes, each on an image of its own.

    Args:
        title: the image's name, or the two classes'.
        comparison: the predicted class and the runner-up, both on this image; or the two classes.
        verdict: what is said of the image; None for two classes.
    """

    title: str
    comparison: ComparisonView
    verdict: Verdict | None = None

    def sentences(self) -> list[str]:
        """The explanation in words."""
        views = self.comparison
        if self.verdict is not None:
            return verdicts.verdict(self.title, views, self.verdict)
        return [f"{self.title}: {verdicts.apart(views)}", *(verdicts.side(view) for view in (views.left, views.right))]

    def to_dict(self) -> dict[str, Any]:
        """As JSON; see `documents`."""
        if self.verdict is not None:
            return prediction_document(self.title, self.comparison, self.verdict)
        return comparison_document(self.title, self.comparison)

    def sentence(self) -> str:
        """A few lines for a terminal."""
        return verdicts.plain(self.sentences(), "\n  ")

    def __repr__(self) -> str:
        return f"<Decision {self.title!r}>"

    def __str__(self) -> str:
        return self.sentence()

    def _repr_html_(self) -> str:
        one_image = self.verdict is not None
        images = comparison_images(self.comparison, one_image=one_image)
        return snippet(self.title, self.sentences(), images=images)


def render_explanations(decisions: Sequence[Decision]) -> str:
    """The page; every text of the input is escaped, and nothing is fetched."""
    painter = Painter([view for d in decisions for view in (d.comparison.left, d.comparison.right)])
    shown = [
        {
            "title": d.title,
            "sentences": d.sentences()[: None if d.verdict else 1],  # the others stand below two classes' images
            "one_image": d.verdict is not None,
            "unlike": d.verdict is not None and d.verdict.distance is not None and d.verdict.distance.unlike,
            **side_by_side(d.comparison, painter),
        }
        for d in decisions
    ]
    return render("explanation.html", decisions=shown, legend=painter.legend())
