"""The ranking rule: what is better comes first, whatever the order, the units and the company."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuner.search.stopping.ranking import NonDominated, constrained

# whole numbers, so that scaling them by powers of two is exact
LOSSES = st.tuples(st.integers(1, 12), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-8, 8).map(float))
)


def places(losses):
    return NonDominated().places(np.asarray(losses, dtype=np.float64))


@settings(deadline=None, max_examples=40)
@given(LOSSES)
def test_who_beats_another_is_before_it_and_equals_share_a_place(losses):
    found = places(losses)
    for own, place in zip(losses, found, strict=True):
        for other, others in zip(losses, found, strict=True):
            if (own == other).all():
                assert place == others
            elif (own <= other).all():
                assert place < others


@settings(deadline=None, max_examples=40)
@given(LOSSES, st.randoms(use_true_random=False))
def test_the_order_of_the_trials_does_not_matter(losses, random):
    order = list(range(len(losses)))
    random.shuffle(order)
    assert places(losses[order]).tolist() == places(losses)[order].tolist()


@settings(deadline=None, max_examples=40)
@given(LOSSES, st.sampled_from([0.25, 2.0, 64.0]), st.integers(-4, 4))
def test_units_do_not_matter(losses, factor, shift):
    assert places(factor * losses + shift).tolist() == places(losses).tolist()


@settings(deadline=None, max_examples=40)
@given(LOSSES)
def test_a_place_counts_the_trials_that_are_better(losses):
    found = places(losses)
    assert [int((found < place).sum()) for place in found] == found.tolist()


def test_within_a_front_it_is_what_a_trial_adds_that_counts():
    crowded = [(0.0, 1.0), (0.1, 0.9), (0.5, 0.5), (1.0, 0.0), (1.0, 1.0)]
    assert places(crowded).tolist() == [3, 2, 0, 1, 4]


@pytest.mark.parametrize("shape", [(0, 2), (1, 2), (3, 1)])
def test_few_trials_and_one_objective_have_places(shape):
    losses = np.arange(float(np.prod(shape))).reshape(shape)
    assert places(losses).tolist() == list(range(shape[0]))


def test_who_satisfies_the_constraints_comes_first():
    losses = np.array([[0.0, 0.0], [3.0, 3.0], [1.0, 1.0], [2.0, 2.0], [9.0, 9.0]])
    violations = np.array([0.2, 0.0, 0.1, 0.0, 0.1])
    assert constrained(NonDominated(), losses, violations).tolist() == [4, 1, 2, 0, 2]
    assert constrained(NonDominated(), losses, np.zeros(5)).tolist() == NonDominated().places(losses).tolist()
    assert constrained(NonDominated(), losses, np.ones(5)).tolist() == [0] * 5
