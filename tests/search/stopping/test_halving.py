"""Who goes on at the rung: the best share, everybody while few are known, and who may be the best for its size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.search.stopping.halving import Halving

TWO = (False, False)
EARLIER = np.array([(float(i), float(i)) for i in range(8)])  # each beats those after it


def judge(own, earlier=EARLIER, exact=TWO, ended=None, **rule):
    ended = np.full_like(earlier, np.nan) if ended is None else ended
    return Halving(**rule).judge(earlier, ended, np.asarray(own, dtype=np.float64), exact)


def goes_on(own, earlier=EARLIER, exact=TWO, **rule):
    return judge(own, earlier, exact, **rule).goes_on


@pytest.mark.parametrize(("own", "expected"), [((-1, -1), True), ((1.5, 1.5), True), ((2.5, 2.5), False)])
def test_the_best_third_goes_on(own, expected):
    assert goes_on(own) is expected


def test_while_few_are_known_each_goes_on():
    assert goes_on((99, 99), EARLIER[:4], startup_trials=5)
    assert not goes_on((99, 99), EARLIER[:5], startup_trials=5)
    assert goes_on((99, 99), EARLIER[:0], startup_trials=0)


def test_eta_1_stops_nobody():
    assert goes_on((99, 99), eta=1.0)


def test_what_no_earlier_trial_beats_goes_on_where_an_objective_is_known_from_the_start():
    """Nine trials of one front: the new one adds least, but no other is as small."""
    front = np.array([(float(i), float(8 - i)) for i in range(8)])
    own = (7.99, 0.99)
    assert not goes_on(own, front)
    verdict = judge(own, front, (False, True))
    assert verdict.goes_on
    assert verdict.held_by == "no earlier trial beats it"
    assert not goes_on((7.99, 8.0), front, (False, True))  # another is as small, and better


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(8)), st.floats(-1, 9), st.floats(-1, 9))
def test_the_order_of_the_earlier_trials_does_not_matter(order, one, other):
    ended = np.where(np.arange(8)[:, None] % 2, EARLIER**2, np.nan)
    order = list(order)
    assert judge((one, other), EARLIER[order], ended=ended[order]) == judge((one, other), ended=ended)


def test_it_is_the_end_that_counts():
    """Who is behind at the rung gains most: the last at the rung will be the best."""
    assert not goes_on((9, 9))
    assert goes_on((9, 9), ended=-2.0 * EARLIER)
    assert not goes_on((-1, -1), ended=-2.0 * EARLIER)
