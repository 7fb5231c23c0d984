"""Attribute alignment: does a feature fire where one human-named attribute is present (METHOD 6.9)?"""

from torch import Tensor


def attribute_alignment(features: Tensor, attributes: Tensor) -> float | None:
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
