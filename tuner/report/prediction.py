"""The prediction of an exported model for one image, as text, JSON and a drawing."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuner.base.text import readable
from tuner.data.pixels import read_image
from tuner.features.geometry import part_shown
from tuner.features.likeness import Distance
from tuner.qpm.explanation import Evidence, Explanation, Floats
from tuner.report.explanation import Decision
from tuner.report.tiles import Pixels
from tuner.report.verdicts import Verdict
from tuner.report.views import ClassView, ComparisonView, FeatureView

NO_PIXELS = np.zeros((1, 1, 3), dtype=np.uint8)  # for texts, which need no image


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The prediction of an exported model for one image.

    Attributes:
        path: the image file.
        class_name: the predicted class.
        runner_up: the second best class.
        explanation: features of the predicted class and the runner-up, with saliency maps at token resolution.
        class_names: all classes, by index.
        distance: from the training images; None if the model was exported by an earlier version.
        full: (n_features,) the value of each map that is shown at full strength; None likewise.
        geometry: which part of the image the model saw: see `tuner.features.geometry`.
    """

    path: Path
    class_name: str
    runner_up: str
    explanation: Explanation
    class_names: tuple[str, ...]
    distance: Distance | None = None
    full: Floats | None = None
    geometry: str = "squash"

    def to_dict(self) -> dict[str, Any]:
        """As JSON; see `documents` for what each number is relative to."""
        return self._decision(readable(self.path), NO_PIXELS).to_dict()

    def sentence(self) -> str:
        """A few lines for a terminal."""
        return self._decision(readable(self.path), NO_PIXELS).sentence()

    def decision(self) -> Decision:
        """The predicted class against the runner-up on this image, to be drawn."""
        return self._decision(readable(self.path.name), part_shown(read_image(self.path), self.geometry))

    def __repr__(self) -> str:
        return f"<Prediction {readable(self.class_name)!r} for {readable(self.path.name)}>"

    def _repr_html_(self) -> str:
        return self.decision()._repr_html_()

    def _decision(self, title: str, pixels: Pixels) -> Decision:
        best, second = self.explanation.evidence
        shares = self.explanation.probabilities
        verdict = Verdict(float(shares[best]), float(shares[second]), self.distance)
        return Decision(title, ComparisonView(self._view(best, pixels), self._view(second, pixels)), verdict)

    def _view(self, label: int, pixels: Pixels) -> ClassView:
        features = feature_views(self.explanation.evidence[label], self.full)
        return ClassView(readable(self.class_names[label]), pixels, features)


def feature_views(evidence: Sequence[Evidence], full: Floats | None) -> list[FeatureView]:
    """Features to be drawn, on the scale of training where it is known."""
    scales = [None if full is None else float(full[e.column]) for e in evidence]
    return [FeatureView(e.column, e.saliency, e.contribution, full=f) for e, f in zip(evidence, scales, strict=True)]
