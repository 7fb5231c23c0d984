"""An explanation as JSON: the numbers and sentences of the page, with the reference of each number.

Logits, contributions and margins are in standard deviations of a feature over the training images; probabilities are
a softmax over all classes' logits, 0 to 1, not calibrated; strengths are 1 at the feature's strongest in training.
"""

from typing import Any

import numpy as np

from tuner.features.likeness import Distance
from tuner.report import verdicts
from tuner.report.verdicts import Verdict
from tuner.report.views import ClassView, ComparisonView, FeatureView

PROBABILITY = "softmax over the logits of all classes, not calibrated"
FULL = "1 is the strongest that the feature gets anywhere on the training images (at most 2,000)"


def prediction_document(image: str, views: ComparisonView, verdict: Verdict) -> dict[str, Any]:
    """One image: its class (left), the runner-up (right), and what makes the difference."""
    best, other = views.left, views.right
    own, others = verdicts.alone(views)
    return {
        "image": image,
        "class": best.name,
        "logit": best.score,
        "probability": verdict.probability,
        "probability_is": PROBABILITY,
        "runner_up": other.name,
        **_features(best),
        "margin": {
            "over": other.name,
            "value": verdicts.lead(views),
            "logit": other.score,
            "probability": verdict.next_probability,
            "shared": sorted(views.shared),
            "only_class": [_feature(f) for f in own],
            "only_runner_up": [_feature(f) for f in others],
        },
        **_trust(verdict.distance),
        "sentence": verdicts.plain(verdicts.verdict(image, views, verdict)),
    }


def comparison_document(title: str, views: ComparisonView) -> dict[str, Any]:
    """Two classes, each on an image of its own: whose image, and the class's features on it."""
    own, others = verdicts.alone(views)
    return {
        "comparison": title,
        "classes": [_side(view) for view in (views.left, views.right)],
        "shared": sorted(views.shared),
        "only_first": sorted(f.index for f in own),
        "only_second": sorted(f.index for f in others),
        "sentence": verdicts.plain([verdicts.apart(views), *map(verdicts.side, (views.left, views.right))]),
    }


def _side(view: ClassView) -> dict[str, Any]:
    shown: dict[str, Any] = {"class": view.name, "logit": view.score}
    if view.source:
        source = view.source
        shown |= {"image": source.path, "split": source.split}
        shown |= {"true_class": source.label, "predicted_class": source.predicted}
        shown["clearest_of"] = source.among
    return shown | _features(view)


def _features(view: ClassView) -> dict[str, Any]:
    """All of a class's features, and the numbers of those that speak for and against it."""
    said = {kind: [f.index for f in view.features if verdicts.speaks(f) == kind] for kind in ("for", "against")}
    return {"features": [_feature(f) for f in view.features], **said, "strength_is": _scale(view)}


def _feature(feature: FeatureView) -> dict[str, Any]:
    row, column = np.unravel_index(int(np.argmax(feature.map)), feature.map.shape)
    return {
        "feature": feature.index,
        "contribution": feature.contribution,
        "speaks": verdicts.speaks(feature),
        "peak": [int(row), int(column)],
        "peak_value": feature.strongest,
        "strength": feature.strongest / feature.full if feature.full else None,
    }


def _scale(view: ClassView) -> str:
    known = all(f.full for f in view.features)
    return FULL if known else f"{verdicts.NO_SCALE}strengths are unknown"


def _trust(distance: Distance | None) -> dict[str, Any]:
    """Whether the image is unlike the training images; null if unknown."""
    if distance is None:
        return {"unlike": None, "distance": {"is": verdicts.NO_DISTANCE}}
    return {
        "unlike": distance.unlike,
        "distance": {
            "value": distance.value,
            "limit": distance.limit,
            "within_limit_percent": distance.within,
            "farther_than_percent": distance.farther_than,
            "training_images": distance.n_images,
            "is": "distance from the training images, about 1 for usual ones; beyond the limit an image is unlike "
            "them; percentages are of the training images, each left out and measured by others",
        },
    }
