"""Two-component Gaussian mixtures of many one-dimensional samples at once.

Expectation-maximisation with scikit-learn's defaults, except that it starts from the exact two-means split
(a scan over the sorted values) instead of one random k-means run: no seed, and a test holds both together.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

REG_COVAR = 1e-6
TOLERANCE = 1e-3
MAX_ITERATIONS = 100
_CHUNK = 64


class Mixture(NamedTuple):
    """Component 0 and 1 of each feature, all (width, 2) float64."""

    weight: Tensor
    mean: Tensor
    std: Tensor


def fit_mixtures(features: Tensor) -> Mixture:
    """Fit every column of `features`, (n, width), by itself; n >= 2."""
    rows = features.double().T.contiguous()
    chunks = [_fit(chunk) for chunk in torch.split(rows, _CHUNK)]
    return Mixture(*(torch.cat(parts) for parts in zip(*chunks, strict=True)))


def _fit(x: Tensor) -> Mixture:
    """EM on the rows of x, (w, n); rows whose log-likelihood moved by less than 1e-3 are left as they are."""
    x = x.sort(dim=1).values
    result = _maximise(x, _two_means(x))
    bound = x.new_full((len(x),), -torch.inf)
    active = torch.arange(len(x), device=x.device)
    for _ in range(MAX_ITERATIONS):
        part = Mixture(*(values[active] for values in result))
        share, likelihood = _expect(x[active], part)
        for values, new in zip(result, _maximise(x[active], share), strict=True):
            values[active] = new
        moving = (likelihood - bound[active]).abs() >= TOLERANCE
        bound[active] = likelihood
        active = active[moving]
        if len(active) == 0:
            break
    return result


def _two_means(x: Tensor) -> Tensor:
    """Membership in the lower cluster of the optimal two-means split of sorted rows, (w, n) 0 or 1."""
    n = x.shape[1]
    size = torch.arange(1, n, device=x.device, dtype=x.dtype)
    below = (x - x.mean(1, keepdim=True)).cumsum(1)[:, :-1]  # centred: what lies above is minus this
    cut = (below.square() * (1 / size + 1 / (n - size))).argmax(1)
    return (torch.arange(n, device=x.device) <= cut.unsqueeze(1)).to(x.dtype)


def _maximise(x: Tensor, share: Tensor) -> Mixture:
    """Weights, means and deviations from the first component's responsibilities, (w, n)."""
    shares = torch.stack([share, 1 - share], dim=1)  # (w, 2, n)
    mass = shares.sum(2) + 10 * torch.finfo(x.dtype).eps
    mean = (shares * x.unsqueeze(1)).sum(2) / mass
    variance = (shares * (x.unsqueeze(1) - mean.unsqueeze(2)).square()).sum(2) / mass + REG_COVAR
    return Mixture(mass / mass.sum(1, keepdim=True), mean, variance.sqrt())


def _expect(x: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """The first component's responsibilities, (w, n), and the mean log-likelihood of each row, (w,)."""
    weight, mean, std = (values.unsqueeze(2) for values in mixture)
    log_density = torch.log(weight / std) - ((x.unsqueeze(1) - mean) / std).square() / 2
    total = log_density.logsumexp(1)
    return torch.exp(log_density[:, 0] - total), total.mean(1) - 0.5 * math.log(2 * math.pi)
