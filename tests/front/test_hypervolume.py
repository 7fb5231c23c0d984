"""The hypervolume above a reference of its own: by hand, and what holds for any points."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.front.hypervolume import (
    Reference,
    history,
    hypervolume,
    moving,
    reference_of,
    scale,
    standard_error,
    sure_growth,
)
from tuner.front.pareto import Objective, Point

ACCURACY = Objective("accuracy", "max", 0.0, 100.0)
SIZE = Objective("n_features", "min", 0.0, 50.0, "", best=10.0)
BOTH = (ACCURACY, SIZE)
ABOVE = Reference({"accuracy": 80.0, "n_features": 50.0}, 10)


def point(trial, accuracy, size, **values):
    return Point(trial, {}, {"accuracy": accuracy, "n_features": size, **values})


def test_by_hand_it_is_the_share_of_the_box_between_reference_and_best_values():
    assert hypervolume([point(0, 90.0, 30.0)], BOTH, ABOVE) == pytest.approx(0.5 * 0.5)
    two = [point(0, 90.0, 30.0), point(1, 95.0, 40.0)]
    assert hypervolume(two, BOTH, ABOVE) == pytest.approx(0.5 * 0.5 + 0.25 * 0.25)
    assert hypervolume([point(0, 100.0, 10.0)], BOTH, ABOVE) == 1.0
    assert hypervolume([point(0, 80.0, 10.0), point(1, 70.0, 20.0)], BOTH, ABOVE) == 0.0, "at the reference, beyond it"
    assert hypervolume([], BOTH, ABOVE) == 0.0
    assert hypervolume([Point(0, {}, {"accuracy": 90.0})], BOTH, ABOVE) == 0.0, "one without a size is left out"


def test_by_hand_the_reference_lies_a_tenth_of_the_spread_beyond_the_worst():
    first = [point(0, 90.0, 20.0), point(1, 80.0, 40.0)]
    found = reference_of(first, BOTH, {})
    assert (found.values, found.n_trials) == ({"accuracy": 79.0, "n_features": 42.0}, 2)
    alike = reference_of([point(0, 90.0, 20.0)], BOTH, {})
    assert alike.values == {"accuracy": 89.0, "n_features": 20.5}, "a hundredth of the natural range"
    assert hypervolume([point(0, 90.0, 20.0)], BOTH, alike) > 0


def test_what_the_recipe_gives_counts_and_only_the_rest_is_taken_from_trials():
    first = [point(0, 90.0, 20.0), point(1, 80.0, 40.0)]
    assert reference_of(first, BOTH, {"accuracy": 50.0}).values == {"accuracy": 50.0, "n_features": 42.0}
    given_all = reference_of([], BOTH, {"accuracy": 50.0, "n_features": 45})
    assert (given_all.values, given_all.n_trials) == ({"accuracy": 50.0, "n_features": 45.0}, 0)
    assert hypervolume(first, BOTH, reference_of([], BOTH, {})) == 0.0, "nothing is measured yet"


def test_a_reference_beyond_the_best_value_gives_zero_and_no_division_by_zero():
    for worst in (100.0, 120.0):
        assert hypervolume([point(0, 100.0, 10.0)], BOTH, Reference({"accuracy": worst, "n_features": 50.0})) == 0.0


def test_the_ends_of_the_scale_are_said():
    assert scale(BOTH, ABOVE) == (
        "0 % is accuracy 80.0 % and features 50, just beyond the worst of the first 10 complete trials; "
        "100 % is accuracy 100.0 % and features 10, all at once"
    )
    assert "accuracy 80.0 % and features 50, as the recipe says; " in scale(BOTH, Reference(ABOVE.values))
    assert "10 complete trials (it moves until there are 10); " not in scale(BOTH, ABOVE)
    assert ", just beyond the worst of the first complete trial; " in scale(BOTH, Reference(ABOVE.values, 1))
    assert scale(BOTH, Reference()) == ""


def test_growth_within_noise_is_no_growth():
    """One standard error of 95 % on 100 images is 2.2 points: 96 % is not better than 95 %, 100 % is."""
    counted = {"n_images": 100.0}
    points = [point(0, 95.0, 30.0, **counted), point(1, 96.0, 30.0, **counted), point(2, 100.0, 30.0, **counted)]
    first, second, third = sure_growth(points, BOTH, ABOVE)
    assert (0 < first < hypervolume(points[:1], BOTH, ABOVE), second, third > 0) == (True, 0.0, True)
    unknown = [point(0, 95.0, 30.0), point(1, 96.0, 30.0)]
    assert sure_growth(unknown, BOTH, ABOVE)[1] == pytest.approx(0.05 * 0.5), "an unknown error counts as none"


@pytest.mark.parametrize(
    ("volumes", "said"),
    [
        ([0.1] * 19, ""),
        (
            [0.1] * 20,
            "the last 10 trials added nothing of the hypervolume; "
            "it takes 20 trials to say that the front hardly moves any more",
        ),
        ([0.1] * 10 + [0.2] * 10, "the front still moves: the last 10 trials added 50.0 % of the hypervolume"),
        ([0.1] * 30, "the front hardly moves any more: the last 20 trials added nothing of the hypervolume"),
        (
            [0.1] * 29 + [0.1003],
            "the front hardly moves any more: the last 20 trials added 0.3 % of the hypervolume",
        ),
        (
            [0.05] * 15 + [0.1] * 15,
            "the last 10 trials added nothing of the hypervolume; "
            "it takes 20 trials to say that the front hardly moves any more",
        ),
        ([0.0] * 30, ""),
    ],
)
def test_whether_the_front_still_moves_is_a_sentence(volumes, said):
    assert moving(volumes) == said


def test_by_hand_the_hypervolume_varies_with_its_members() -> None:
    """Two draws of one member: 0.5 and 1.0 of the way in accuracy, all the way in the other."""
    drawn = [{"accuracy": np.array([90.0, 100.0]), "n_features": np.array([10.0, 10.0])}]
    assert standard_error(drawn, BOTH, ABOVE) == pytest.approx(0.25)
    behind = {"accuracy": np.array([85.0, 70.0]), "n_features": np.array([20.0, 20.0])}
    assert standard_error([*drawn, behind], BOTH, ABOVE) == pytest.approx(0.25), "one that is dominated adds none"


coordinates = st.tuples(st.floats(0, 100), st.floats(0, 60))
sets = st.lists(coordinates, min_size=1, max_size=12)


@settings(deadline=None)
@given(sets, st.randoms(use_true_random=False))
def test_it_never_falls_and_does_not_depend_on_the_order(values, shuffler: random.Random):
    points = [point(i, *pair) for i, pair in enumerate(values)]
    grown = history(points, BOTH, ABOVE)
    assert grown == sorted(grown)
    assert grown[-1] == pytest.approx(hypervolume(points, BOTH, ABOVE), abs=1e-12)
    assert 0.0 <= grown[-1] <= 1.0
    shuffler.shuffle(points)
    assert hypervolume(points, BOTH, ABOVE) == pytest.approx(grown[-1], abs=1e-12)


@settings(deadline=None)
@given(sets, coordinates)
def test_a_dominated_point_adds_nothing(values, other):
    points = [point(i, *pair) for i, pair in enumerate(values)]
    worse = point(99, min(other[0], values[0][0]), max(other[1], values[0][1]))
    assert hypervolume([*points, worse], BOTH, ABOVE) == pytest.approx(hypervolume(points, BOTH, ABOVE), abs=1e-12)


@settings(deadline=None)
@given(sets)
def test_above_their_own_reference_points_dominate_something(values):
    points = [point(i, *pair) for i, pair in enumerate(values)]
    found = reference_of(points, BOTH, {})
    assert all(found.values["accuracy"] < p.values["accuracy"] for p in points)
    if any(p.values["n_features"] < found.values["n_features"] and found.values["n_features"] > 10.0 for p in points):
        assert hypervolume(points, BOTH, found) > 0.0


@settings(deadline=None)
@given(sets)
def test_what_is_sure_to_be_gained_is_at_most_what_is_gained(values):
    points = [point(i, *pair, n_images=50.0) for i, pair in enumerate(values)]
    grown = history(points, BOTH, ABOVE)
    steps = [after - before for before, after in zip([0.0, *grown], grown, strict=False)]
    for sure, step in zip(sure_growth(points, BOTH, ABOVE), steps, strict=True):
        assert sure <= step + 1e-12
