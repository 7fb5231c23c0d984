"""Who goes on at the rung: the best share, nobody while few are known, and who may be the best for its size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.search.stopping.halving import Halving

TWO = (False, False)
EARLIER = np.array([(float(i), float(i)) for i in range(8)])  # each beats those after it
FRONT = np.array([(float(i), float(8 - i)) for i in range(8)])


def going_on(rung, ended=None, exact=TWO, eta=3.0, startup_trials=5):
    rung = np.asarray(rung, dtype=np.float64)
    ended = np.full_like(rung, np.nan) if ended is None else ended
    found = Halving(eta, startup_trials).going_on(rung, ended, exact, np.empty((len(rung), 0)))
    return [int(place) for place in np.flatnonzero(found)]


def joined(own):
    return np.append(EARLIER, [own], axis=0)


@pytest.mark.parametrize(("own", "expected"), [((-1, -1), True), ((1.5, 1.5), True), ((2.5, 2.5), False)])
def test_the_best_third_goes_on(own, expected):
    assert (8 in going_on(joined(own))) is expected


@pytest.mark.parametrize(("n", "eta", "expected"), [(8, 3.0, 3), (7, 3.0, 2), (8, 2.0, 4), (8, 1.0, 8), (2, 9.0, 1)])
def test_the_share_is_rounded_to_the_nearest_number_and_one_goes_on_at_least(n, eta, expected):
    assert going_on(EARLIER[:n], eta=eta, startup_trials=0) == list(range(expected))


def test_while_few_are_known_none_goes_on():
    assert going_on(EARLIER[:4]) == []
    assert going_on(EARLIER[:5]) == [0, 1]
    assert going_on(EARLIER[:0], startup_trials=0) == []
    assert going_on(EARLIER[:1], startup_trials=0) == [0]


def test_what_no_other_trial_beats_goes_on_where_an_objective_is_known_from_the_start():
    """Nine trials of one front: the last adds least, but no other is as small."""
    small = np.append(FRONT, [(7.99, 0.99)], axis=0)
    assert 8 not in going_on(small)
    assert 8 in going_on(small, exact=(False, True))
    beaten = np.append(FRONT, [(7.99, 8.0)], axis=0)  # another is as small, and better
    assert 8 not in going_on(beaten, exact=(False, True))


def test_what_is_expected_to_violate_a_constraint_is_behind_all_that_are_not():
    """The best two are beyond the bound by a tenth."""
    beyond = np.array([0.1, 0.1, *[-0.1] * 6])[:, None]
    assert going_on(np.append(EARLIER, beyond, axis=1)) == [2, 3, 4]
    assert 0 not in going_on(np.append(EARLIER, beyond, axis=1), exact=(False, True))


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(9)), st.floats(-1, 9), st.floats(-1, 9))
def test_the_order_of_the_trials_does_not_matter(order, one, other):
    rung, order = joined((one, other)), list(order)
    ended = np.where(np.arange(9)[:, None] % 2, rung**2, np.nan)
    assert sorted(order[place] for place in going_on(rung[order], ended[order])) == going_on(rung, ended)


def test_it_is_the_end_that_counts():
    """Who is behind at the rung gains most: the last at the rung will be the best."""
    ended = np.append(-2.0 * EARLIER, [(np.nan, np.nan)], axis=0)
    assert 8 not in going_on(joined((9, 9)))
    assert 8 in going_on(joined((9, 9)), ended)
    assert 8 not in going_on(joined((-1, -1)), ended)
