"""Attribute alignment: does a feature fire where one human-named attribute is present
(docs/explanation/method.md#attribute-alignment)?"""

from typing import TYPE_CHECKING

from tuner.base.metric import IMAGE_ATTRIBUTES
from tuner.qpm.metrics.kinds import FeatureMetric, TrainFeatures

if TYPE_CHECKING:
    from torch import Tensor


def attribute_alignment(features: "Tensor", attributes: "Tensor") -> float | None:
    """Mean over features of max_a (mean x | a present - mean x | a absent) / mean(x - min x).

    Attributes never present or never absent are left out; None if none is left.

    Args:
        features: raw pooled features of train, (n, width).
        attributes: of the same images, (n, n_attributes) int8: 1 present, 0 absent, -1 unknown.
    """
    present, absent = (attributes == 1).to(features), (attributes == 0).to(features)
    judged = (present.sum(0) > 0) & (absent.sum(0) > 0)
    if not judged.any():
        return None
    means = [(rows.T @ features) / rows.sum(0).unsqueeze(1) for rows in (present[:, judged], absent[:, judged])]
    scale = (features - features.amin(0)).mean(0).clamp(min=1e-10)
    return float(((means[0] - means[1]) / scale).amax(0).mean())


def _measure(train: TrainFeatures) -> float | None:
    return None if train.image_attributes is None else attribute_alignment(train.features, train.image_attributes)


METRICS = (
    FeatureMetric(
        name="attribute_alignment",
        heading="attribute_alignment",
        help="how much more a feature fires with its best attribute",
        high=200.0,
        needs=(IMAGE_ATTRIBUTES,),
        formula="mean over features of max over attributes of (mean x with it - mean x without it) / mean(x - min x)",
        source="docs/explanation/method.md#attribute-alignment",
        function=_measure,
    ),
)
