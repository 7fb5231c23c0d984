"""The forecast at the rung: known ends stay, the others follow the gain of those, and few say nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.search.stopping import forecast
from tuner.search.stopping.forecast import ENOUGH, traits_of

RUNG = np.array([(float(i), 10.0 * i) for i in range(40)])
NAN = (np.nan, np.nan)


def at_the_end(rung, ended, traits=None):
    return forecast.at_the_end(rung, ended, np.empty((len(rung), 0)) if traits is None else traits)


def ended(values, *unknown):
    found = np.array(values, dtype=np.float64)
    found[list(unknown)] = NAN
    return found


def test_what_is_known_stays():
    known = ended(RUNG**1.5, 3, 7)
    found, at = at_the_end(RUNG, known), ~np.isnan(known)
    assert np.allclose(found[at], known[at], rtol=1e-9, atol=1e-9 * np.ptp(found))
    assert np.isfinite(found).all()


def test_a_constant_gain_is_added():
    found = at_the_end(RUNG, ended(RUNG - (2.0, 30.0), 0, 39))
    assert np.allclose(found, RUNG - (2.0, 30.0))


def test_a_gain_that_shrinks_towards_the_best_is_followed():
    """A shrunken line through 38 points: within 6 % of the line itself."""
    halved = 0.5 * RUNG
    found = at_the_end(RUNG, ended(halved, 0, 39))
    assert np.allclose(found[39], halved[39], rtol=0.06)
    assert not np.allclose(found[39], RUNG[39] + (halved - RUNG).mean(axis=0), rtol=0.06)


def test_a_value_that_does_not_change_keeps_its_value():
    found = at_the_end(RUNG, ended(np.stack([RUNG[:, 0], RUNG[:, 1] - 5.0], axis=1), 4))
    assert found[4] == pytest.approx((4.0, 35.0))


@pytest.mark.parametrize("n", range(ENOUGH))
def test_with_few_known_ends_the_rung_decides(n):
    found = at_the_end(RUNG[:8], ended(RUNG[:8] - 99.0, *range(n, 8)))
    assert (found == RUNG[:8]).all()


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(10)), st.sampled_from([0.25, 2.0, 64.0]))
def test_neither_order_nor_units_matter(order, factor):
    rung, order = RUNG[:10] % 7.0, list(order)
    known = ended(rung * (0.5, 0.9) - 1.0, 2, 5)
    found = at_the_end(rung, known)
    assert np.allclose(at_the_end(rung[order], known[order]), found[order])
    assert np.allclose(at_the_end(factor * rung, factor * known), factor * found)


def test_equal_trials_have_equal_forecasts():
    rung = np.concatenate([RUNG[:9] / 3.0, RUNG[:9] / 3.0])
    found = at_the_end(rung, ended(rung - 0.1, *range(5, 18)))
    assert (found[5:9] == found[14:18]).all()


def test_a_gain_that_a_parameter_tells_is_followed():
    """At the rung all are alike; at the end they differ by the logarithm of a parameter."""
    traits = traits_of([{"l1": 2.0**i, "width": 48} for i in range(40)])
    rung, gain = np.zeros((40, 1)), np.linspace(0.0, 4.0, 40)[:, None]
    told = np.where(np.isin(np.arange(40), (0, 39))[:, None], np.nan, rung - gain)
    found = at_the_end(rung, told, traits)
    assert found[0, 0] > -0.6
    assert found[39, 0] < -3.4
    assert np.allclose(at_the_end(rung, told)[[0, 39]], -2.0)


def test_parameters_as_numbers():
    """Positive ones by their logarithm, zeros and switches as they are, a column for each choice, none if shared."""
    params = [
        {"a": 1.0, "b": True, "c": "x", "d": 0.0, "e": 7},
        {"a": np.e, "b": False, "c": "y", "d": 2.0, "e": 7},
    ]
    assert traits_of(params).tolist() == [[0.0, 1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0, 2.0]]
    assert traits_of([params[0]] * 3).shape == (3, 0)
