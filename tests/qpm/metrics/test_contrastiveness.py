"""Mixtures held against scikit-learn, and the closed-form overlap against an integral."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from tuner.qpm.metrics.contrastiveness import contrastiveness, overlap
from tuner.qpm.metrics.mixture import fit_mixtures

RNG = np.random.default_rng(0)
N = 700
FEATURES = {
    "two humps": np.where(RNG.random(N) < 0.3, RNG.normal(5, 1, N), RNG.normal(0, 0.5, N)),
    "one hump": RNG.normal(2, 1, N),
    "exponential": RNG.exponential(1, N),
    "mostly exact zeros": np.where(RNG.random(N) < 0.8, 0.0, RNG.exponential(1, N)),
    "few large": np.where(RNG.random(N) < 0.03, RNG.normal(3, 0.3, N), RNG.exponential(0.05, N)),
    "tiny scale": RNG.exponential(1e-3, N),
    "uniform": RNG.random(N),
}


def sklearn_overlap(x: np.ndarray) -> float:
    """Best of several seeds by likelihood: a single k-means start can be a poor one."""
    fits = [GaussianMixture(2, random_state=seed).fit(x[:, None]) for seed in range(4)]
    best = max(fits, key=lambda fit: fit.lower_bound_)
    mean, std = best.means_.ravel(), np.sqrt(best.covariances_.ravel())
    return float(overlap(torch.tensor(mean)[None], torch.tensor(std)[None]))


@pytest.mark.parametrize("name", FEATURES)
def test_mixture_agrees_with_scikit_learn(name: str) -> None:
    x = FEATURES[name]
    ours = fit_mixtures(torch.tensor(x)[:, None])
    theirs = GaussianMixture(2, random_state=0).fit(x[:, None])
    order = np.argsort(theirs.means_.ravel())
    np.testing.assert_allclose(ours.mean[0].numpy(), theirs.means_.ravel()[order], atol=0.05 * x.std())
    np.testing.assert_allclose(ours.weight[0].numpy(), theirs.weights_[order], atol=0.05)
    assert float(overlap(ours.mean, ours.std)) == pytest.approx(sklearn_overlap(x), abs=0.03)


def test_many_features_at_once_are_each_fitted_by_themselves() -> None:
    together = fit_mixtures(torch.tensor(np.stack(list(FEATURES.values()) * 12, axis=1)))  # several chunks
    for i, x in enumerate(FEATURES.values()):
        alone = fit_mixtures(torch.tensor(x)[:, None])
        for a, b in zip(together, alone, strict=True):
            torch.testing.assert_close(a[i], b[0])
            torch.testing.assert_close(a[i + 7 * 11], b[0])


@settings(max_examples=80, deadline=None)
@given(
    d=st.floats(-20, 20), s1=st.floats(0.05, 5), ratio=st.one_of(st.just(1.0), st.floats(1.0, 1.001), st.floats(1, 50))
)
def test_overlap_equals_the_integral(d: float, s1: float, ratio: float) -> None:
    s2 = s1 * ratio
    got = float(overlap(torch.tensor([[1.0, 1.0 + d]]).double(), torch.tensor([[s1, s2]]).double()))

    # a grid around each density in its own scale: an even one would miss the spike
    steps = np.linspace(-12, 12, 4001)
    x = np.unique(np.concatenate([1.0 + steps * s1, 1.0 + d + steps * s2]))
    integral = np.trapezoid(np.minimum(norm.pdf(x, 1.0, s1), norm.pdf(x, 1.0 + d, s2)), x)
    assert got == pytest.approx(integral, abs=2e-4)
    assert -1e-12 <= got <= 1 + 1e-12


def test_overlap_of_equal_and_of_distant_densities() -> None:
    mean = torch.tensor([[0.0, 0.0], [0.0, 2.0], [0.0, 1e6], [5.0, 3.0]]).double()
    std = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 3.0], [1.0, 1.0]]).double()
    expected = [1.0, 2 * norm.cdf(-1.0), 0.0, 2 * norm.cdf(-1.0)]
    torch.testing.assert_close(overlap(mean, std), torch.tensor(expected).double())
    torch.testing.assert_close(overlap(mean.flip(1), std.flip(1)), overlap(mean, std))


def test_contrastiveness_of_switches_humps_and_constants() -> None:
    switch = torch.tensor(FEATURES["mostly exact zeros"])
    constant = torch.full((N,), 0.7).double()
    assert contrastiveness(switch[:, None]) > 0.98  # the spike of variance 1e-6 at zero
    assert contrastiveness(constant[:, None]) == pytest.approx(0.0, abs=1e-9)
    both = contrastiveness(torch.stack([switch, constant], 1))
    assert both == pytest.approx(contrastiveness(switch[:, None]) / 2)
    assert contrastiveness(switch[:1, None]) is None
    assert not math.isnan(contrastiveness(switch[:2, None]))
