"""The one table of metrics: name, unit, direction and natural range, for objectives, reports and MLflow.

Torch-free. A metric that does not apply to a model or data set is absent from a result, never zero. A result also holds
how many images it rests on, by the names in COUNTS; they are no metrics, and nothing can be optimised by them.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One measured quantity.

    Args:
        name: key in a result.
        unit: `%` or `features`.
        direction: which way is better.
        low: lower end of its natural range.
        high: upper end of its natural range.
        help: one line.
        needs: what only some data sets have and the metric cannot do without: masks, class attributes or image
            attributes; empty: nothing.
        least: features per class below which it has no value.
    """

    name: str
    unit: str
    direction: Literal["max", "min"]
    low: float
    high: float
    help: str
    needs: Literal["", "masks", "class attributes", "image attributes"] = ""
    least: int = 1


_TABLE = (
    Metric("accuracy", "%", "max", 0, 100, "top-1 on the held-out images"),
    Metric("plausibility", "%", "max", 0, 100, "saliency on the object, its mask dilated by one token", "masks"),
    Metric("plausibility_undilated", "%", "max", 0, 100, "saliency on the object itself", "masks"),
    Metric("mask_share", "%", "max", 0, 100, "tokens on the object: chance level of the line above, no goal", "masks"),
    Metric("sid5", "%", "max", 20, 100, "spatial diversity of a class's five strongest features", least=5),
    Metric("class_independence", "%", "max", 0, 100, "how little a feature belongs to a single class"),
    Metric("contrastiveness", "%", "max", 0, 100, "how clearly a feature is either on or off"),
    Metric("exact_zeros", "%", "max", 0, 100, "feature values of exactly zero: context of the line above"),
    Metric("n_features_used", "features", "min", 0, 512, "features with a nonzero head weight"),
    Metric("features_per_class_used", "features", "min", 0, 50, "mean nonzero head weights of a class"),
    Metric("correlation", "%", "min", 0, 100, "mean cosine of a feature with the one most like it"),
    Metric(
        "structural_grounding", "%", "max", 0, 100, "do classes alike by attributes share features", "class attributes"
    ),
    Metric(
        "attribute_alignment",
        "%",
        "max",
        0,
        200,
        "how much more a feature fires with its best attribute",
        "image attributes",
    ),
    Metric("interpretability", "%", "max", 0, 100, "geometric mean of those in INTERPRETABILITY that apply"),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
INTERPRETABILITY = ("plausibility_undilated", "class_independence", "contrastiveness")

COUNTS = {
    "n_images": "held-out images that were measured",
    "n_masked_images": "those of them that have a mask: what plausibility is measured on",
    "n_train_images": "training images: what class independence, contrastiveness and correlation are measured on",
}
