"""Contrastiveness: is a feature clearly either on or off (docs/explanation/method.md#contrastiveness)?

One minus the overlap of the two normal densities of a mixture fitted to its values.
"""

from typing import TYPE_CHECKING

from tuner.qpm.metrics.kinds import FeatureMetric

if TYPE_CHECKING:
    from torch import Tensor


def contrastiveness(features: "Tensor") -> float | None:
    """1 - mean overlap; a constant feature overlaps fully. None for fewer than two images.

    Scale-dependent, as published: the mixture adds 1e-6 to its variances.

    Args:
        features: raw pooled features of train, (n, width).
    """
    from tuner.qpm.metrics.mixture import fit_mixtures

    if len(features) < 2:
        return None
    mixture = fit_mixtures(features)
    constant = features.amax(0) == features.amin(0)
    return 1.0 - float(overlap(mixture.mean, mixture.std).where(~constant, 1.0).mean())


def overlap(mean: "Tensor", std: "Tensor") -> "Tensor":
    """Integral of the smaller of two normal densities of weight one, in closed form, (n,).

    In units of the narrower deviation, with d >= 0 the distance of the means and r >= 1 the ratio of the
    deviations, the densities cross at the roots of (r^2 - 1) u^2 + 2 d u - (d^2 + 2 r^2 log r) = 0. Between
    the roots the wider density is the smaller one, outside the narrower.

    Args:
        mean: (n, 2).
        std: (n, 2), positive.
    """
    narrow, wide = std.amin(1), std.amax(1)
    d = (mean[:, 0] - mean[:, 1]).abs() / narrow
    r = wide / narrow
    a, c = r.square() - 1, d.square() + 2 * r.square() * r.log()
    q = r * (d.square() + 2 * a * r.log()).sqrt()  # root of a quarter of the discriminant
    equal = d + q == 0
    upper = c / (d + q).where(~equal, 1.0)
    lower = -(d + q) / a  # minus infinity for equal deviations: a single crossing
    between = _phi((upper - d) / r) - _phi((lower - d) / r)
    return (between + _phi(lower) + _phi(-upper)).where(~equal, 1.0)


def _phi(x: "Tensor") -> "Tensor":
    """The standard normal distribution function."""
    import torch

    value: Tensor = torch.special.ndtr(x)
    return value


METRICS = (
    FeatureMetric(
        name="contrastiveness",
        heading="contrast",
        help="how clearly a feature is either on or off",
        formula="1 - mean over features of the overlap of the two normal densities of a mixture fitted to x",
        source="docs/explanation/method.md#contrastiveness",
        function=lambda train: contrastiveness(train.features),
    ),
)
