"""One self-contained HTML page that explains predictions: the decided class against the runner-up, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuner.front.galleries import comparison_gallery
from tuner.front.pages import render
from tuner.front.views import ComparisonView


@dataclass(frozen=True)
class Decision:
    """One image and why it was decided as it was.

    Args:
        title: the image's name.
        comparison: the predicted class and the runner-up, both on this image.
    """

    title: str
    comparison: ComparisonView

    def sentence(self) -> str:
        """What both sides share and what tells them apart."""
        return str(comparison_gallery(self.comparison)["sentence"])


def render_explanations(decisions: Sequence[Decision]) -> str:
    """The page; every text of the input is escaped, and nothing is fetched."""
    shown = [{"title": d.title, **comparison_gallery(d.comparison)} for d in decisions]
    return render("explanation.html", decisions=shown)
